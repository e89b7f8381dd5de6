use cart::{slug, total};

#[test]
fn total_adds() {
    assert_eq!(total(&[1, 2]), 3);
}

#[test]
fn total_of_one() {
    assert_eq!(total(&[5]), 5);
}

#[test]
fn slugs() {
    assert_eq!(slug("Green Tea"), "green-tea");
}
