"""The way of a file, in five assets. This page is the graph: read it from top to bottom."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import dagster as dg

from ingest_assets.artifacts.manifests import UNREAD_UNDER_CAP
from ingest_assets.artifacts.sequences import Draft, Pending, Stored
from ingest_assets.clients.language_detector import forget_profiles
from ingest_assets.clients.pictures.picture_models import open_picture_models
from ingest_assets.defs import tallies
from ingest_assets.defs.ends import named_end
from ingest_assets.defs.io_managers import Publication
from ingest_assets.defs.ledger import record_of
from ingest_assets.defs.partitions import files
from ingest_assets.defs.resources import Workshop
from ingest_assets.file_ids import key_of, require_file_id
from ingest_assets.fingerprints import chunk_sizes_of, fingerprint, receive_fingerprint
from ingest_assets.parsers.families import count_pages
from ingest_assets.records import Caption, Chunk, Part, SourceFile
from ingest_assets.stages.caption import caption
from ingest_assets.stages.chunk import chunk
from ingest_assets.stages.embed import CHUNKS_PER_PART, embed
from ingest_assets.stages.parse import parse
from ingest_assets.stages.repeated import repeated
from ingest_assets.wiring import open_embedder

Shop = dg.ResourceParam[Workshop]


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="artifacts")
def raw_files(context: dg.AssetExecutionContext, workshop: Shop) -> Pending[SourceFile]:
    """The reference to one file in the upload bucket: owner, name, size, sha256, media type. The bytes stay there."""
    require_file_id(context.partition_key)
    key = key_of(context.partition_key)
    # Whoever names a file on Dagster's command line need not have waited for the sensor to add its partition.
    context.instance.add_dynamic_partitions(files.name or "", [context.partition_key])
    return Pending(
        fingerprint=fingerprint(workshop.bucket.stat(key), receive_fingerprint(workshop.settings)),
        produce=lambda _: iter([workshop.receive(key)]),
        tally=tallies.of_source,
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="artifacts")
@named_end
def parsed_documents(context: dg.AssetExecutionContext, workshop: Shop, raw_files: Stored[SourceFile]) -> Pending[Part]:
    """The file's parts (page, slide, block of rows or text): elements in reading order, and each picture once."""
    (source,) = raw_files
    parser, attempt = workshop.parser(source), workshop.attempt(context, source)
    unread = attempt.leaves_out("parsed_documents")

    def produce(draft: Draft[Part]) -> Iterator[Part]:
        limits = replace(workshop.limits, unread=unread, before_part=draft.mark)
        with workshop.unchanged_file(source) as path:
            draft.facts["pages"] = count_pages(parser, path, limits=limits)
            yield from parse(path, parser=parser, limits=limits, keep=draft.attach, finished=draft.kept())

    return Pending(
        fingerprint=fingerprint(source.sha256, source.media_type, workshop.fingerprints(source).parse),
        produce=produce,
        tally=tallies.of_part,
        resume_token=source.version,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        leaves_out=bool(unread),
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="artifacts")
@named_end
def image_captions(
    context: dg.AssetExecutionContext, workshop: Shop, raw_files: Stored[SourceFile], parsed_documents: Stored[Part]
) -> Pending[Caption]:
    """What each distinct picture shows: a caption, the text read from it, its page, and which model said so."""
    (source,) = raw_files
    attempt, fingerprints = workshop.attempt(context, source), workshop.fingerprints(source)
    unread = attempt.leaves_out("image_captions")

    def produce(draft: Draft[Caption]) -> Iterator[Caption]:
        pictures = (picture for part in parsed_documents for picture in part.pictures)
        with (
            open_picture_models(workshop.settings, cap_mb=attempt.cap_mb) as models,
            workshop.artifacts.caption_cache(source.file_id, model=fingerprints.caption) as known,
        ):
            if models.left_out_under_mb and parsed_documents.manifest.counts.get("pictures"):
                draft.facts[UNREAD_UNDER_CAP] = models.left_out_under_mb
            yield from caption(
                known.noting(pictures),
                load=parsed_documents.attachment,
                captioner=models.captioner,
                describer=models.describer,
                undescribed=models.undescribed,
                known=known,
                finished=draft.kept(),
                unread=unread,
                repeated=repeated(parsed_documents),
            )
            known.settle()

    return Pending(
        fingerprint=fingerprint(parsed_documents.manifest.digest, fingerprints.caption),
        produce=produce,
        tally=tallies.of_caption,
        resume_token=parsed_documents.manifest.digest,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        leaves_out=bool(unread),
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="artifacts")
@named_end
def chunks(
    context: dg.AssetExecutionContext,
    workshop: Shop,
    raw_files: Stored[SourceFile],
    parsed_documents: Stored[Part],
    image_captions: Stored[Caption],
) -> Pending[Chunk]:
    """The text to embed, 150 to 500 words a chunk, captions where their pictures stood; with pages and section."""
    (source,) = raw_files
    captions = {row.picture: row for row in image_captions}
    upstream = (parsed_documents.manifest.digest, image_captions.manifest.digest)
    return Pending(
        fingerprint=fingerprint(source.file_id, *upstream, workshop.fingerprints(source).chunk),
        produce=lambda _: chunk(
            parsed_documents, file_id=source.file_id, captions=captions, sizes=chunk_sizes_of(workshop.settings)
        ),
        tally=tallies.of_chunk,
        window=workshop.attempt(context, source).window,
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="vector_store")
@named_end
def embeddings(
    context: dg.AssetExecutionContext,
    workshop: Shop,
    raw_files: Stored[SourceFile],
    parsed_documents: Stored[Part],
    image_captions: Stored[Caption],
    chunks: Stored[Chunk],
) -> Publication:
    """The file in the vector store: one unit vector per chunk, and the file's record; searchable from here on."""
    forget_profiles()  # the chunks' languages are told, and embedding needs the memory
    (source,) = raw_files
    attempt, fingerprints = workshop.attempt(context, source), workshop.fingerprints(source)
    embedder = open_embedder(workshop.model_settings, window=attempt.window)
    known, window = partial(workshop.store.vectors_for, embedder.model), CHUNKS_PER_PART * attempt.window
    return Publication(
        record=record_of(raw_files, parsed_documents, image_captions, chunks, fingerprints, window=attempt.window),
        embedded=lambda: embed(chunks, embedder=embedder, known=known, window=window),
        attempt=attempt,
    )
