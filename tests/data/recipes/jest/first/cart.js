exports.total = (prices) => prices.reduce((sum, price) => sum + price, 0);
exports.slug = (name) => name.toLowerCase();
