-- Book enrichment, version {version}: TODO

do $$
begin
    if to_regclass('enrichment.schema_versions') is null then
        raise exception 'book enrichment is not at version {before} here. `book-enrichment migrate` brings it there; run that first';
    elsif exists (select from enrichment.schema_versions as v where v.version = {version}) then
        raise exception using message = (
            select 'this step is applied here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif not exists (select from enrichment.schema_versions as v where v.version = {before}) then
        raise exception 'book enrichment is not at version {before} here: apply the steps in their order';
    end if;
    -- Whoever is at work goes first, and whoever comes meanwhile waits before it holds anything: in the order in which rows are written.
    lock table public.enrichment_queue, public.enrichment_audit_log, enrichment.cover_queue, enrichment.stored_covers
        in access exclusive mode;
end
$$;
