//! What every store must do, written once and run against each.
//!
//! A store joins with one line, `suite!(home)`, where `home` is a [`Home`]: each test gets a new,
//! empty store from it. A test that is not named in the list below is not run, and the compiler
//! says that nobody uses it.

pub(crate) mod alarms;
pub(crate) mod batches;
pub(crate) mod heads;
pub(crate) mod jobs;
pub(crate) mod later;
pub(crate) mod laws;
pub(crate) mod lists;
pub(crate) mod outcomes;
pub(crate) mod parts;
pub(crate) mod reload;
pub(crate) mod repair;
pub(crate) mod repeats;
pub(crate) mod retention;
pub(crate) mod rows;
pub(crate) mod texts;
mod view;

use std::sync::Arc;

use super::{Commit, Store};

/// Where a test's store lives.
pub(crate) trait Home: Sized {
    /// A new, empty store.
    async fn fresh() -> Self;
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Closes the store and opens it again, as another process would find it.
    async fn reopen(&mut self);
    /// Has the database refuse alarms, the last rows of a commit, from now on.
    async fn refuse_alarms(&self);
    /// Has it take them again.
    async fn take_alarms(&self);
    /// Has the jobs of odd ids say what only a later release does.
    async fn save_of_a_later_release(&self);
}

/// Writes the commits, each in a transaction of its own.
async fn write(home: &impl Home, commits: impl IntoIterator<Item = Commit>) {
    for commit in commits {
        home.store().commit(&[commit]).await.unwrap();
    }
}

/// Runs every test of the suite against the stores of one [`Home`].
macro_rules! suite {
    ($home:path) => {
        $crate::store::suite::each! { $home;
            repeats {
                ids_and_clocks, jobs, lives, planned, taken_back, spread, placed, checkpoints,
                ended, moved, anchors, cursors, alarms, child_starts, notes, everything_at_once,
                a_child_that_has_started_is_not_started_again,
                a_child_that_has_started_does_not_wait_any_more,
            }
            parts {
                what_is_planned_and_taken_back_in_one_call_was_never_there,
                what_is_planned_and_ended_in_one_call_has_ended,
                a_retry_is_planned_with_the_outcome_before_it,
                taking_back_removes_what_is_planned_and_its_head_only,
                a_task_that_is_taken_back_gives_its_key_back,
                the_latest_place_of_an_attempt_holds,
                the_latest_move_of_a_task_holds,
                a_head_is_spread_once,
                ids_watermark_clock_and_anchors_only_grow,
                the_last_cursor_of_a_job_holds,
            }
            outcomes {
                the_first_outcome_holds,
                the_first_outcome_of_a_retry_holds,
                the_first_of_two_outcomes_in_one_call_holds,
                what_has_ended_is_not_placed_taken_back_or_moved,
                a_log_comes_with_the_outcome_that_is_taken,
                an_outcome_of_nothing_leaves_nothing,
            }
            heads {
                a_task_runs_while_its_retry_waits,
                a_task_ends_with_its_last_attempt,
                a_task_that_is_tried_again_and_again_in_one_call_ends,
                a_task_of_shards_has_its_own_result,
                a_stopping_task_keeps_its_state_until_it_ends,
                a_skipped_task_is_over_when_it_is_recorded,
                every_state_cause_and_reason_comes_back,
            }
            jobs {
                a_lower_revision_changes_nothing,
                the_latest_revision_in_one_call_holds,
                a_deleted_job_keeps_its_row_and_frees_its_name,
                a_name_changes_hands_in_one_call,
                jobs_are_found_by_name_in_all_services,
                parents_are_the_living_jobs_that_have_a_child,
                pages_of_jobs_leave_nothing_out,
                a_page_of_jobs_ends_when_it_has_enough_bytes,
            }
            lists {
                filters_of_tasks,
                tasks_by_id_are_newest_first_and_only_those_that_exist,
                pages_of_tasks_hold_still_while_new_ones_come,
                log_tails_are_of_attempts,
                the_bytes_of_a_task_are_those_of_all_its_texts,
                keys_name_tasks_of_their_job,
            }
            reload {
                a_new_store_is_empty,
                what_was_committed_comes_back,
                what_is_open_comes_back_with_what_it_needs,
                a_child_comes_back_with_its_lineage,
                no_more_children_to_start_come_back_than_are_asked_for,
                shards_that_have_ended_come_back_while_their_task_is_open,
                lives_that_nothing_is_placed_on_stay_away,
            }
            retention {
                old_tasks_go_whole,
                what_is_open_or_young_stays,
                a_task_is_as_old_as_its_last_attempt,
                removal_goes_in_pieces,
                open_tasks_do_not_keep_old_ones,
                tasks_that_seem_to_end_in_the_future_do_not_keep_old_ones,
                a_task_of_many_attempts_goes_in_pieces,
                a_partition_removes_its_own_history,
                a_deleted_job_goes_after_its_history_and_its_retention,
                a_deleted_job_that_a_child_waits_for_stays,
                a_deleted_job_that_executors_declare_stays,
                what_is_removed_frees_its_key,
                lives_that_nothing_refers_to_go,
                few_lives_stay,
            }
            repair {
                what_is_later_than_now_is_shown_and_left,
                clocks_that_are_ahead_are_set_back,
                clocks_that_are_behind_are_left,
                open_attempts_of_a_wrong_clock_keep_their_delay,
                ids_are_lifted_and_what_was_there_is_told,
            }
            batches {
                five_thousand_rows_of_each_part,
                twenty_thousand_rows_in_one_commit,
                many_small_commits,
                a_commit_that_fails_leaves_nothing,
            }
            texts { any_text_comes_back, a_nul_is_shown, nothing_is_not_empty, extreme_instants }
            alarms {
                a_row_a_channel_in_the_order_of_the_commits,
                an_alarm_that_is_done_is_done,
                a_job_fails_until_it_recovers,
                a_task_tells_of_a_kind_of_trouble_once,
                only_what_is_done_is_removed,
            }
            later {
                lists_leave_out_jobs_that_cannot_be_read,
                a_job_that_cannot_be_read_is_named,
                a_partition_with_a_job_that_cannot_be_read_is_not_loaded,
                a_list_of_jobs_that_cannot_be_read_does_not_overflow_the_stack,
            }
            laws { one_call_does_what_many_do }
        }
    };
}
pub(crate) use suite;

macro_rules! each {
    ($home:path; $($part:ident { $($test:ident),* $(,)? })*) => {$(
        mod $part {
            $(
                #[tokio::test]
                async fn $test() {
                    let mut home = <$home as $crate::store::suite::Home>::fresh().await;
                    $crate::store::suite::$part::$test(&mut home).await;
                }
            )*
        }
    )*};
}
pub(crate) use each;
