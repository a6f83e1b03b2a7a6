-- Book enrichment, version 1: everything, as supabase/schemas had it when this step was released.

do $$
begin
    if to_regclass('enrichment.schema_versions') is not null then
        raise exception using message = (
            select 'book enrichment is installed here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif obj_description(to_regnamespace('enrichment'), 'pg_namespace') like 'Private side of book enrichment:%' then
        raise exception 'a book enrichment of before version 1 is installed here. `book-enrichment migrate` takes it over; run that first';
    elsif to_regnamespace('enrichment') is not null then
        raise exception 'there is a schema enrichment here that is not ours; ours needs that name';
    elsif to_regnamespace('enrichment_kept') is not null and coalesce(current_setting('enrichment.takes_back', true), '') <> 'on' then
        raise exception 'an earlier uninstall kept data here. `book-enrichment migrate` installs and takes it back; run that instead';
    end if;
end
$$;
