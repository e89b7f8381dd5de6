//! What is few is found by an index, however many cycles there are.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::sqlite::query_plan::plan_of;

#[tokio::test]
async fn open_cycles_are_found_without_a_walk_over_those_that_are_over() {
    let staging = EnvironmentName::parse("staging").unwrap();
    for environment in [None, Some(&staging)] {
        let plan = plan_of(&open_sql(environment)).await;
        assert!(plan.contains("c USING INDEX cycle_open"), "{environment:?}: {plan}");
    }
}

#[tokio::test]
async fn of_each_pipeline_only_the_wanted_cycles_are_looked_at() {
    for sql in [RECENT, &find_all_sql()] {
        let plan = plan_of(sql).await;
        let walks = plan
            .lines()
            .find(|step| ["SCAN c", "SCAN n", "SCAN w"].iter().any(|walk| step.starts_with(walk)));
        assert_eq!(walks, None, "{plan}");
    }
}
