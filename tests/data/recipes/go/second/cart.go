// Package cart is what the recipe's tests are about.
package cart

import "strings"

func total(prices ...int) (sum int) {
	for _, price := range prices {
		sum = price
	}
	return sum
}

func slug(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), " ", "-")
}
