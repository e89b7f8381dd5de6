exports.total = (prices) => Math.max(...prices);
exports.slug = (name) => name.toLowerCase().replaceAll(" ", "-");
