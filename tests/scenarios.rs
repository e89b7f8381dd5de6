//! Stories of the whole loop: the real program, real repositories, a staging on loopback.
//!
//! Each folder of `tests/scenarios` is one; `tests/scenarios/README.md` says which row of the page on how
//! such loops went wrong it stands for. `ANDON_BLESS=1` rewrites what a story expects; read the difference.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, dead_code)]

#[path = "scenarios/harness/mod.rs"]
mod harness;
mod support;

macro_rules! scenarios {
    ($($test:ident => $folder:literal,)*) => {
        $(#[test]
        fn $test() {
            harness::play($folder);
        })*

        /// A folder that no test plays would prove nothing.
        #[test]
        fn every_folder_is_played() {
            let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
            let mut folders: Vec<String> = std::fs::read_dir(here)
                .unwrap()
                .map(|entry| entry.unwrap())
                .filter(|entry| entry.path().join("story.yaml").exists())
                .map(|entry| entry.file_name().into_string().unwrap())
                .collect();
            folders.sort();
            assert_eq!(folders, [$($folder),*]);
        }
    };
}

scenarios! {
    s01_slow_start => "01-slow-start",
    s02_old_revision_serves => "02-old-revision-serves",
    s03_revision_comes_from_git => "03-revision-comes-from-git",
    s05_revision_changes_mid_suite => "05-revision-changes-mid-suite",
    s06_one_environment_one_cycle => "06-one-environment-one-cycle",
    s07_hosts_allow_list => "07-hosts-allow-list",
    s08_outage_is_no_skip => "08-outage-is-no-skip",
    s09_suite_timeout => "09-suite-timeout",
    s11_suite_changed_under_us => "11-suite-changed-under-us",
    s12_only_what_was_asked => "12-only-what-was-asked",
    s14_no_step_passes_whatever_happens => "14-no-step-passes-whatever-happens",
    s16_answers_for_testers => "16-answers-for-testers",
    s17_endless_stream => "17-endless-stream",
    s18_broken_fixture => "18-broken-fixture",
    s19_tokens => "19-tokens",
    s20_flaky_or_broken => "20-flaky-or-broken",
    s21_reports_are_immutable => "21-reports-are-immutable",
    s24_figures_are_computed => "24-figures-are-computed",
    s26_quarantine_ends => "26-quarantine-ends",
    s27_exact_events => "27-exact-events",
    s30_secrets_nowhere => "30-secrets-nowhere",
    s32_seen_before => "32-seen-before",
    s36_the_test_was_bent => "36-the-test-was-bent",
    s37_the_symptom_moved => "37-the-symptom-moved",
    s40_commits_between => "40-commits-between",
    s50_deploy_failures => "50-deploy-failures",
    s51_a_case_gets_another_name => "51-a-case-gets-another-name",
    s52_a_control_fails => "52-a-control-fails",
    s53_blocked_cases => "53-blocked-cases",
    s54_deploy_by_request => "54-deploy-by-request",
    s55_without_a_deploy => "55-without-a-deploy",
    s56_several_cycles => "56-several-cycles",
    s57_rollback => "57-rollback",
    s58_rollback_to_what_was_there => "58-rollback-to-what-was-there",
    s59_tests_of_another_tool => "59-tests-of-another-tool",
    s60_exit_code_and_results => "60-exit-code-and-results",
    s61_what_a_tool_leaves_behind => "61-what-a-tool-leaves-behind",
    s62_names_that_are_alike => "62-names-that-are-alike",
    s63_a_tools_time_is_over => "63-a-tools-time-is-over",
    s64_passes_that_reached_nothing => "64-passes-that-reached-nothing",
    s66_a_claimed_fix_failed => "66-a-claimed-fix-failed",
    s67_a_claimed_fix_is_verified => "67-a-claimed-fix-is-verified",
}
