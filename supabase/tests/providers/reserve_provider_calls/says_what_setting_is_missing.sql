-- A provider that may not be called until somebody changes something says what, and names no time.
begin;
select plan(4);

select results_eq(
    $$ select *
    from public.reserve_provider_calls('openlibrary') $$, $$ values (0, null::numeric, 'no_contact') $$, 'Open Library wants a contact'
);
select results_eq(
    $$ select * from public.reserve_provider_calls('googlebooks') $$, $$ values (0, null::numeric, 'no_key') $$, 'Google Books wants a key'
);
update enrichment.providers set is_enabled = false where provider = 'openlibrary';
select results_eq(
    $$ select *
    from public.reserve_provider_calls('openlibrary') $$, $$ values (0, null::numeric, 'disabled') $$, 'a provider that is off is off'
);
select is(
    (select p.tokens from enrichment.providers as p where p.provider = 'openlibrary'),
    10::numeric, 'a refusal takes nothing from the bucket'
);

select * from finish();
rollback;
