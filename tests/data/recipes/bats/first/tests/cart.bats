setup() {
    . "$BATS_TEST_DIRNAME/../cart.sh"
}

@test "total adds" {
    [ "$(total 1 2)" = 3 ]
}

@test "total of one" {
    [ "$(total 5)" = 5 ]
}

@test "slug" {
    [ "$(slug "Green Tea")" = green-tea ]
}
