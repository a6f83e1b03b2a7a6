-- How a verb says no: one SQLSTATE per kind of refusal, a message that names the row, a hint that says what to do. PostgREST turns
-- PT404 into a 404 and so on; the Python client turns each code into one class and never looks at the text.

create function enrichment.refuse(code text, message text, hint text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
    -- Volatile, or the planner would raise for a constant message before anything is refused.
    -- @plpgsql_check_options: performance_warnings = off
    raise exception using errcode = refuse.code, message = refuse.message, hint = refuse.hint;
end
$$;
comment on function enrichment.refuse(text, text, text) is
'Raises PT403, PT404, PT409 or PT422, which PostgREST turns into that HTTP status; the message names the row, the hint says what to do.';

create function enrichment.refuse_long_list(elements integer)
returns void
language plpgsql set search_path = ''
as $$
begin
    if refuse_long_list.elements > 1000 then
        perform enrichment.refuse(
            'PT422', format('a list of %s elements is too long', refuse_long_list.elements), 'send at most 1,000 elements a call'
        );
    end if;
end
$$;
comment on function enrichment.refuse_long_list(integer) is 'PostgREST cuts replies at 1,000 rows without a word, so longer lists are refused.';

create function enrichment.refuse_bad_page(page_size integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if refuse_bad_page.page_size is null or refuse_bad_page.page_size not between 1 and 1000 then
        perform enrichment.refuse(
            'PT422', 'page_size is not between 1 and 1,000', 'PostgREST cuts replies at 1,000 rows; ask for the next page'
        );
    end if;
end
$$;
comment on function enrichment.refuse_bad_page(integer) is 'PT422 for a page that is empty or that PostgREST would cut.';
