pub fn total(prices: &[u32]) -> u32 {
    prices.iter().copied().max().unwrap_or(0)
}

pub fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
