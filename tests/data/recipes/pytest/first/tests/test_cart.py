import pytest

from cart import slug, total


class TestTotal:
    def test_adds(self):
        assert total([1, 2]) == 3

    @pytest.mark.parametrize("price", [1, 2.5, 300])
    def test_of_one(self, price):
        assert total([price]) == price


@pytest.mark.parametrize("name, expected", [("Café au lait", "café-au-lait"), ("tea", "tea")])
def test_slug(name, expected):
    assert slug(name) == expected
