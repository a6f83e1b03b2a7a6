-- Book enrichment, version 1: everything, as supabase/schemas had it when this step was released.

do $$
begin
    if to_regclass('enrichment.schema_versions') is not null then
        raise exception using message = (
            select 'book enrichment is installed here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif to_regnamespace('enrichment') is not null then
        raise exception 'a book enrichment of before version 1 is installed here. `book-enrichment migrate` takes it over; run that first';
    end if;
end
$$;
