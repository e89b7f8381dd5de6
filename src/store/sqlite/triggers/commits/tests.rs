//! The commits of a pipeline are answered for in one look at its cycles, not in one for each commit or cycle.

use super::*;
use crate::store::sqlite::query_plan::plan_of;

#[tokio::test]
async fn no_list_is_made_anew_for_each_row() {
    for sql in [SEEN, TESTED_UNSEEN] {
        let plan = plan_of(sql).await;
        assert!(!plan.contains("CORRELATED"), "{plan}");
        assert!(!plan.contains("SCAN c") && !plan.contains("SCAN n"), "{plan}");
    }
}
