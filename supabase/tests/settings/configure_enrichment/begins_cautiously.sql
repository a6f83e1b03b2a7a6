-- As the request says: nothing runs by itself, covers are applied, text is not; ten works a claim, half a second between two calls.
begin;
select plan(1);

select results_eq(
    'select auto_enabled, auto_apply_covers, auto_apply_metadata, batch_size, provider_delay_ms from enrichment.settings',
    $$ values (false, true, false, 10, 500) $$, 'the settings of a new installation'
);

select * from finish();
rollback;
