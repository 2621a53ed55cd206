//! The contract, clause by clause, over everything that claims to keep it.
//!
//! A clause is a function `fn name(kv: &dyn KvWrite, clock: &TestClock)` in the file of its theme,
//! named in [`suite!`] below; each implementation runs each clause as a test of its own. A store
//! is moreover opened again after each clause, and must hold what it held.

#![forbid(unsafe_code)]

mod batches;
mod describing;
mod keys;
mod listing;
mod lumps;
mod partial;
mod reading;
mod removing;
mod renaming;
mod renaming_refused;
mod sharing;
mod subject;
mod support;
mod writing;

macro_rules! suite {
    ($implementation:ident, $run:path, [$($theme:ident: $($clause:ident)*;)*]) => {
        mod $implementation {
            $($(
                #[test]
                fn $clause() {
                    $run(crate::$theme::$clause);
                }
            )*)*
        }
    };
    ($implementation:ident, $run:path) => {
        suite!($implementation, $run, [
            keys:
                empty_names_in_a_path_are_ignored
                names_are_bytes_not_text
                a_key_of_the_longest_length_holds_a_value
                a_name_that_starts_another_is_not_above_it
                no_key_is_both_a_value_and_a_dictionary;
            reading:
                exists_tells_values_from_dictionaries_and_nothing
                a_dictionary_ends_with_its_last_value
                get_gives_back_values_of_every_size
                get_gives_back_a_large_value
                get_of_a_dictionary_expects_a_value
                get_of_nothing_is_not_found
                get_partial_reads_a_part
                get_partial_across_the_end_is_short
                get_partial_past_the_end_is_empty
                get_partial_reads_across_blocks
                get_partial_refuses_as_get_does;
            listing:
                list_of_an_empty_store_is_empty
                list_gives_whole_keys_with_their_kinds
                list_gives_direct_entries_only
                list_is_in_key_order_where_slash_is_the_lowest_byte
                list_of_a_value_expects_a_dictionary
                list_of_nothing_is_not_found
                list_page_goes_on_after_any_name
                list_page_goes_on_after_any_bytes
                list_page_joins_up_to_list_at_every_limit
                list_page_refuses_as_list_does
                a_dictionary_holds_more_than_1023_values;
            writing:
                set_replaces_the_value
                set_makes_the_dictionaries_above
                set_over_a_dictionary_expects_a_value
                set_below_a_value_expects_a_dictionary
                set_of_one_key_leaves_the_others
                one_key_can_be_set_many_times
                values_shrink_and_grow;
            partial:
                set_partial_replaces_within_the_value
                set_partial_across_the_end_extends_the_value
                set_partial_past_the_end_appends
                set_partial_of_nothing_makes_a_value
                set_partial_of_no_bytes_keeps_the_value
                set_partial_changes_a_few_bytes_of_a_large_value
                set_partial_refuses_as_set_does
                allocate_fills_with_zeros
                allocate_honours_the_time_it_is_given
                allocate_in_a_dictionary_stays_in_it
                allocate_of_a_value_is_already_present
                allocate_refuses_as_set_does
                a_value_too_large_is_refused_whole;
            removing:
                remove_of_a_value
                remove_of_a_dictionary_takes_everything_below
                remove_of_the_root_empties_the_store
                remove_of_nothing_is_ok
                remove_goes_by_names_not_by_text
                removing_one_key_loses_no_other
                what_was_removed_can_be_set_again;
            renaming:
                rename_moves_a_value
                rename_onto_a_value_replaces_it
                rename_makes_the_dictionaries_above
                rename_into_a_dictionary_moves_inside_it
                rename_into_a_dictionary_replaces_the_value_of_that_name
                rename_to_the_root_moves_up
                rename_of_a_dictionary_moves_all_of_it
                rename_of_a_dictionary_into_a_dictionary
                rename_goes_by_names_not_by_text
                rename_onto_itself_changes_nothing
                rename_into_its_own_dictionary_changes_nothing
                rename_keeps_the_neighbours
                rename_keeps_the_time
                rename_there_and_back
                rename_of_a_large_value;
            renaming_refused:
                rename_of_nothing_is_not_found
                rename_under_itself_is_refused
                rename_of_a_dictionary_onto_a_value_expects_a_value
                rename_of_a_value_onto_an_inner_dictionary_expects_a_value
                rename_of_a_dictionary_onto_an_inner_dictionary_is_already_present
                rename_below_a_value_expects_a_dictionary
                rename_that_makes_a_key_too_long_is_refused_whole;
            describing:
                size_of_a_value_is_its_length
                size_of_a_dictionary_is_the_sum_below
                size_follows_every_change
                size_of_nothing_is_not_found
                last_modified_is_when_the_value_was_written
                last_modified_of_a_dictionary_is_the_newest_of_its_direct_values
                last_modified_of_nothing_is_not_found
                times_that_run_backwards_are_kept_as_they_are
                digest_of_a_value_is_its_sha_256
                digest_of_a_dictionary_is_over_names_kinds_and_digests
                digest_tells_boundaries_and_kinds_apart
                digest_follows_contents_and_nothing_else
                digest_of_nothing_is_not_found;
        ]);
    };
}

suite!(model, crate::subject::on_the_model);
suite!(ram_512, crate::subject::on_ram::<512>);
suite!(ram_4096, crate::subject::on_ram::<4096>);
#[cfg(feature = "host")]
suite!(file, crate::subject::on_a_file);
