package com.example;

import java.util.Arrays;

class Cart {
    static int total(int... prices) {
        return Arrays.stream(prices).max().orElse(0);
    }

    static String slug(String name) {
        return name.toLowerCase().replace(" ", "-");
    }
}
