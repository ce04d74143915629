//! The tests that every store must pass, written once and run against each.
//!
//! A store joins with one line, `suite!(home)`, where `home` is a [`Home`]: each test gets a new,
//! empty store from it. A test that is missing from the list below is not run, and the compiler
//! reports it as unused.

pub(crate) mod alarms;
pub(crate) mod batches;
pub(crate) mod drains;
pub(crate) mod filters;
pub(crate) mod heads;
pub(crate) mod index;
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
pub(crate) mod stats;
pub(crate) mod texts;
pub(crate) mod versions;
mod view;

use std::sync::Arc;

use super::{Commit, Store};

/// Where the store of a test lives.
pub(crate) trait Home: Sized {
    /// A new, empty store.
    async fn fresh() -> Self;
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
    /// Closes the store and opens it again, as another process would.
    async fn reopen(&mut self);
    /// From now on the database rejects alarms, the last rows of a commit.
    async fn refuse_alarms(&self);
    /// The database accepts alarms again.
    async fn take_alarms(&self);
    /// Damages the newest block of the index that has tasks of the default job.
    async fn damage_the_index(&self);
    /// Gives the jobs with odd ids a definition that only a later release can read.
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
                ids_and_clocks, jobs, lives, planned, cancelled, spread, placed, checkpoints,
                ended, moved, anchors, cursors, fired_ahead, alarms, child_starts, notes, everything_at_once,
                a_child_that_has_started_is_not_started_again,
                a_child_that_has_started_is_no_longer_waiting,
            }
            parts {
                planning_and_cancelling_in_one_call_changes_nothing,
                an_attempt_planned_and_ended_in_one_call_has_ended,
                a_retry_is_planned_with_the_outcome_before_it,
                cancelling_removes_only_planned_attempts_and_their_heads,
                a_cancelled_task_frees_its_key,
                the_latest_placement_of_an_attempt_wins,
                the_latest_move_of_a_task_wins,
                a_head_is_spread_once,
                ids_watermark_clock_and_anchors_only_grow,
                the_last_cursor_of_a_job_wins,
            }
            outcomes {
                the_first_outcome_wins,
                the_first_outcome_of_a_retry_wins,
                the_first_of_two_outcomes_in_one_call_wins,
                an_ended_attempt_is_not_placed_cancelled_or_moved,
                the_log_of_the_accepted_outcome_is_stored,
                an_outcome_of_an_unknown_attempt_changes_nothing,
            }
            heads {
                a_task_runs_while_its_retry_waits,
                a_task_ends_with_its_last_attempt,
                a_task_that_is_retried_several_times_in_one_call_ends,
                a_task_of_shards_has_its_own_result,
                a_stopping_task_keeps_its_state_until_it_ends,
                a_skipped_task_has_ended_when_it_is_recorded,
                every_state_cause_and_reason_is_read_back,
            }
            jobs {
                a_lower_revision_changes_nothing,
                the_latest_revision_in_one_call_wins,
                a_deleted_job_keeps_its_row_and_frees_its_name,
                a_name_moves_to_another_job_in_one_call,
                jobs_are_found_by_name_in_all_services,
                parents_are_the_living_jobs_that_have_a_child,
                pages_of_jobs_are_complete,
                a_page_of_jobs_ends_when_it_has_enough_bytes,
            }
            versions {
                each_change_keeps_the_version_before_it,
                changes_of_one_call_keep_what_is_between_them,
                the_oldest_versions_of_a_job_are_removed,
                the_versions_of_a_deleted_job_are_kept_as_long_as_its_row,
                a_version_that_this_release_cannot_read_does_not_hide_the_others,
            }
            lists {
                filters_of_tasks,
                tasks_by_id_are_newest_first_and_only_those_that_exist,
                pages_of_tasks_are_stable_while_new_ones_arrive,
                open_tasks_of_many_commits_are_listed,
                log_tails_are_of_attempts,
                the_bytes_of_a_task_are_those_of_all_its_texts,
                keys_identify_tasks_of_their_job,
                the_last_ends_of_jobs_are_listed,
            }
            filters {
                every_filter_lists_what_a_search_of_all_tasks_does,
                a_search_that_stops_says_where_it_continues,
                one_task_is_listed_if_it_matches,
                a_range_of_time_is_found_in_a_large_segment,
                a_page_does_not_end_before_its_range_of_time_begins,
            }
            index {
                merging_changes_no_list,
                what_was_merged_is_removed_when_it_is_old,
                a_rebuilt_index_has_the_same_lists,
                a_damaged_segment_does_not_stop_the_merges_of_others,
                segments_do_not_hide_tasks_that_ended_late,
            }
            stats {
                statistics_are_those_of_the_tasks_in_the_history,
                statistics_have_each_state_and_each_duration,
                statistics_are_removed_with_the_history,
                a_task_counts_once_when_its_commit_failed_before,
                a_task_counts_once_when_its_end_is_written_again,
            }
            reload {
                a_new_store_is_empty,
                committed_data_is_loaded,
                open_attempts_are_loaded_with_their_data,
                a_child_is_loaded_with_its_lineage,
                a_task_is_loaded_with_its_trace_and_shows_its_id,
                a_rerun_is_loaded_with_its_shards_and_shows_its_task,
                no_more_child_starts_are_loaded_than_requested,
                ended_shards_are_loaded_while_their_task_is_open,
                lives_without_attempts_are_not_loaded,
            }
            retention {
                old_tasks_are_removed_completely,
                open_and_recent_tasks_are_kept,
                a_task_is_as_old_as_its_last_attempt,
                removal_works_in_pieces,
                open_tasks_do_not_block_the_removal_of_old_ones,
                tasks_that_end_in_the_future_do_not_block_the_removal_of_old_ones,
                a_task_with_many_attempts_is_removed_in_pieces,
                a_partition_removes_its_own_history,
                a_deleted_job_is_removed_after_its_history_and_its_retention,
                a_deleted_job_with_a_waiting_child_start_is_kept,
                a_deleted_job_that_executors_declare_is_kept,
                a_removed_task_frees_its_key,
                unreferenced_lives_are_removed,
                a_few_lives_are_kept,
            }
            repair {
                a_survey_reports_later_times_and_changes_nothing,
                clocks_that_are_ahead_are_set_back,
                clocks_that_are_behind_are_not_changed,
                open_attempts_of_a_wrong_clock_keep_their_delay,
                lists_show_what_a_repair_changed,
                ids_are_raised_and_the_previous_ones_are_reported,
            }
            batches {
                five_thousand_rows_of_each_part,
                twenty_thousand_rows_in_one_commit,
                many_small_commits,
                a_commit_that_fails_leaves_nothing,
                a_commit_that_fails_is_not_mistaken_for_a_loss,
            }
            texts { any_text_is_read_back, a_nul_is_replaced_by_a_symbol, null_is_not_an_empty_text, extreme_instants }
            alarms {
                one_row_per_channel_in_the_order_of_the_commits,
                an_alarm_that_is_done_stays_done,
                a_job_fails_until_it_recovers,
                a_task_raises_each_kind_of_alarm_once,
                only_what_is_done_is_removed,
            }
            drains {
                executors_are_drained_until_they_are_resumed,
                no_more_executors_are_drained_than_allowed,
            }
            later {
                lists_skip_unreadable_jobs,
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
