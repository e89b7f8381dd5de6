def total(prices):
    return max(prices)


def slug(name):
    return name.lower().replace(" ", "-")
