def total(prices):
    return sum(prices)


def slug(name):
    return name.lower()
