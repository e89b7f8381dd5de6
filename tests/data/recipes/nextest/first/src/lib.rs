pub fn total(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

pub fn slug(name: &str) -> String {
    name.to_lowercase()
}
