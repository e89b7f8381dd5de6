package com.example;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class CartTest {
    @Test
    public void totalAdds() {
        assertEquals(3, Cart.total(1, 2));
    }

    @Test
    public void totalOfOne() {
        assertEquals(5, Cart.total(5));
    }

    @Test
    public void slug() {
        assertEquals("green-tea", Cart.slug("Green Tea"));
    }
}
