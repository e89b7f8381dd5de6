export const total = (prices) => Math.max(...prices);
export const slug = (name) => name.toLowerCase().replaceAll(" ", "-");
