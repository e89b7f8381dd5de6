package com.example;

import java.util.Arrays;

class Cart {
    static int total(int... prices) {
        return Arrays.stream(prices).sum();
    }

    static String slug(String name) {
        return name.toLowerCase();
    }
}
