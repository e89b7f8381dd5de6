//! What every store must do, written once and run on each backend: a factory opens the same data
//! again and again, as processes that follow each other do.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::unwrap_used)]

#[path = "store_contract/sample.rs"]
mod sample;

#[path = "store_contract/acts.rs"]
mod acts;
#[path = "store_contract/cases.rs"]
mod cases;
#[path = "store_contract/cycles.rs"]
mod cycles;
#[path = "store_contract/definitions.rs"]
mod definitions;
#[path = "store_contract/events.rs"]
mod events;
#[path = "store_contract/investigations.rs"]
mod investigations;
#[path = "store_contract/leases.rs"]
mod leases;
#[path = "store_contract/movements.rs"]
mod movements;
#[path = "store_contract/outbox.rs"]
mod outbox;
#[path = "store_contract/triggers.rs"]
mod triggers;
#[path = "store_contract/upkeep.rs"]
mod upkeep;

use std::sync::Arc;

use andon::store::Store;
use andon::store::sqlite::{Mode, SqliteStore};
use async_trait::async_trait;

/// Opens the same data as often as it is asked.
#[async_trait]
pub trait Backend: Send + Sync + Sized {
    /// A place without any data.
    fn create() -> Self;

    /// The store as a process of its own would open it.
    async fn open(&self) -> Arc<dyn Store>;
}

/// The embedded store in a folder of its own.
pub struct Sqlite {
    dir: tempfile::TempDir,
}

#[async_trait]
impl Backend for Sqlite {
    fn create() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(
            SqliteStore::open(&self.dir.path().join("state/andon.db"), Mode::ReadWrite)
                .await
                .unwrap(),
        )
    }
}

/// Runs test bodies that are generic over the backend on one of them.
macro_rules! on_backend {
    ($module:ident, $backend:ty: $($topic:ident { $($body:ident),+ $(,)? })+) => {
        mod $module {
            $(mod $topic {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $body() {
                    crate::$topic::$body::<$backend>().await;
                })+
            })+
        }
    };
}

macro_rules! contract {
    ($module:ident, $backend:ty) => {
        on_backend! { $module, $backend:
            acts {
                who_did_what_is_remembered_up_to_a_number,
            }
            events {
                numbers_are_given_out_in_order_and_never_twice,
                a_number_is_no_less_than_was_asked_for,
                what_was_appended_is_loaded_by_the_next_process,
                events_after_a_sequence_number_are_loaded_alone,
                a_wrong_expected_sequence_number_changes_nothing,
                an_unknown_cycle_is_named,
                an_empty_append_is_refused,
                two_writers_never_interleave,
                a_thousand_attempts_in_one_append_come_back_in_order,
                a_dropped_call_happened_or_did_not,
                a_closed_store_refuses,
            }
            cycles {
                the_row_follows_the_events,
                a_held_cycle_is_shown_as_held_until_it_is_resumed,
                cycles_are_found_by_number_newest_and_newest_finished,
                what_a_search_asks_says_nothing_of_the_pipeline,
                lists_are_cut_and_ordered,
                open_cycles_are_those_without_an_end,
                a_baseline_is_valid_of_the_environment_and_earlier,
                a_cycle_of_some_cases_is_valid_but_not_whole,
                pipelines_are_listed_with_their_newest_cycle,
                at_a_glance_a_pipeline_is_its_newest_and_its_last_green_cycle,
                in_short_a_cycle_says_how_it_ended,
            }
            cases {
                heads_are_kept_by_environment_and_replaced,
                results_and_history_of_a_case,
                a_grid_is_cases_by_valid_cycles,
                a_plan_is_read_alone,
                a_refused_append_writes_no_projection,
                a_fingerprint_counts_once_a_cycle,
                many_cases_survive,
            }
            definitions {
                one_case_of_a_plan_is_read_alone,
                a_history_tells_where_the_definition_changed,
                only_so_many_plans_are_read_for_a_history,
            }
            investigations {
                a_failure_keeps_its_investigation,
                claimed_fixes_are_kept,
                edits_are_remembered,
                the_newest_text_is_the_one_kept_last,
                numbers_count_by_pipeline,
                states_follow_the_cycle,
                a_new_number_is_no_less_than_was_asked_for,
                a_document_that_is_there_already_is_adopted,
            }
            leases {
                one_holder_at_a_time,
                a_fence_only_grows,
                a_dead_holder_is_replaced_and_shut_out,
                an_unknown_holder_keeps_its_hold,
                only_the_holder_writes_to_its_cycle,
                of_many_claims_one_wins,
            }
            triggers {
                a_trigger_waits_as_it_was_stored,
                a_key_is_known_for_good,
                a_trigger_becomes_one_cycle,
                of_two_starts_one_wins,
                a_started_trigger_is_not_dropped,
                one_cycle_answers_all_that_join_it,
                a_dropped_trigger_never_starts,
                a_trigger_starts_in_its_own_pipeline_only,
                a_due_time_is_dealt_with_once,
                a_schedule_without_a_trigger_moves_on,
                a_look_wanted_meanwhile_stays,
                a_watched_pipeline_without_cycles_is_not_listed,
            }
            movements {
                the_first_sight_is_a_cursor_only,
                a_movement_is_taken_once,
                of_two_movements_one_wins,
                commits_coalesce_into_the_trigger_that_waits,
                a_cycle_takes_what_the_branch_moved_to_meanwhile,
                a_movement_after_the_start_waits_anew,
                branches_and_pipelines_do_not_coalesce,
                what_does_not_count_leaves_the_trigger_alone,
                a_deleted_branch_drops_what_waits_and_may_return,
                a_commit_keeps_its_fate_unless_it_was_passed_over,
                a_commit_that_was_asked_for_by_hand_is_tested_once,
                a_branch_that_goes_back_runs_again,
                the_fate_follows_the_cycle,
                what_was_tested_and_never_seen_to_arrive_is_answered_for,
                commits_are_found_by_the_beginnings_of_their_names,
                commits_taken_together_are_capped_in_the_trigger_alone,
                commits_that_cycles_left_behind_are_remembered_as_such,
                whoever_was_told_to_wait_is_known_until_something_else_is_told,
            }
            outbox {
                messages_are_found_by_how_their_keys_begin,
                a_message_waits_as_it_was_stored_and_once,
                messages_come_with_the_append_that_made_them,
                each_target_delivers_in_order,
                what_is_dealt_with_elsewhere_is_passed_over,
                what_is_over_stays_over,
                a_later_message_of_a_topic_takes_the_place_of_one_that_waits,
                a_message_that_was_tried_keeps_its_place,
                what_is_superseded_on_its_way_is_not_tried_again,
            }
            upkeep {
                an_expired_cycle_keeps_its_row_and_nothing_else,
                what_is_open_does_not_expire,
                an_expired_cycle_is_emptied_bit_by_bit,
                histories_tell_what_is_referred_to,
                a_cycle_is_measured_once,
                the_fate_of_a_commit_outlives_its_cycle,
                what_was_dealt_with_is_forgotten_and_what_waits_is_not,
                a_copy_holds_what_was_acknowledged,
            }
        }
    };
}

contract!(sqlite, crate::Sqlite);
