-- How sure we are that a candidate is this book: the one word that scores, proposals, queue and audit log share.

create type enrichment.confidence as enum ('none', 'low', 'medium', 'high');
comment on type enrichment.confidence is 'How sure we are that a candidate is this book, weakest first, so that max() is the best.';
