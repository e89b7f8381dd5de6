package cart

import "testing"

func TestTotal(t *testing.T) {
	t.Run("adds", func(t *testing.T) {
		if got := total(1, 2); got != 3 {
			t.Errorf("total(1, 2) = %d", got)
		}
	})
	t.Run("of one", func(t *testing.T) {
		if got := total(5); got != 5 {
			t.Errorf("total(5) = %d", got)
		}
	})
}

func TestSlug(t *testing.T) {
	if got := slug("Green Tea"); got != "green-tea" {
		t.Errorf("slug = %q", got)
	}
}
