//! The commits of a pipeline are answered for in one look at its cycles, not in one for each commit or cycle.

use super::*;
use crate::store::sqlite::query_plan::plan_of;

#[tokio::test]
async fn no_list_is_made_anew_for_each_row() {
    let seen = [NEWEST, NAMED].map(seen_sql);
    for sql in seen.into_iter().chain(["", TESTED_NAMED].map(tested_unseen_sql)) {
        let plan = plan_of(&sql).await;
        assert!(!plan.contains("CORRELATED"), "{plan}");
        assert!(!plan.contains("SCAN c") && !plan.contains("SCAN n"), "{plan}");
    }
}

#[tokio::test]
async fn commits_are_found_by_their_names_in_the_order_in_which_they_are_kept() {
    let plan = plan_of(&seen_sql(NAMED)).await;
    assert!(plan.contains("(pipeline_id=? AND branch=? AND sha>? AND sha<?)"), "{plan}");
}
