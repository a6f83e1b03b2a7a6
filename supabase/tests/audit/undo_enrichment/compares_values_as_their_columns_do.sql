-- The log holds texts, the columns dates and numbers: a session that writes dates its own way still finds them equal.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
update public.enrichment_audit_log
set fields_changed = fields_changed || '{"work.first_publish_year": {"old": null, "new": "02008"}, "edition.publish_date": {"old": null, "new": "20080914"}}'
where fields_changed ? 'edition.publish_date';
set local datestyle = 'SQL, DMY';

select ok((select fields_restored @> '{work.first_publish_year,edition.publish_date}' from public.undo_enrichment(:'row')), 'the year and the date are recognised');
select results_eq('select w.first_publish_year, e.publish_date from public.works as w, public.editions as e', 'values (null::smallint, null::date)', 'and gone');

select * from finish();
rollback;
