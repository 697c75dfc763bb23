"""Define the five assets of a file, in the order in which it travels: this page is the graph.

An arrow of the graph means that an asset reads the records of another one. All assets read the reference to the file
(`raw_files`) and are downstream of it; an arrow from it to each asset would only hide the other arrows.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import dagster as dg

from ingest_assets.artifacts.sequences import Draft, Pending, Stored
from ingest_assets.buckets.versions import unchanged_file
from ingest_assets.defs.assets.captioning import caption_pictures
from ingest_assets.defs.assets.catalog import metadata_counts
from ingest_assets.defs.assets.recording.attempt_tags import attempt_of
from ingest_assets.defs.assets.recording.failures import records_failure
from ingest_assets.defs.assets.recording.file_publication import FilePublication
from ingest_assets.defs.assets.recording.file_record import record_of
from ingest_assets.defs.assets.recording.stage_progress import StageProgress
from ingest_assets.defs.partitions import add_partitions, files
from ingest_assets.file_ids import key_of, require_file_id
from ingest_assets.fingerprints import chunk_sizes_of, fingerprint, receive_fingerprint
from ingest_assets.parsers.families import count_pages
from ingest_assets.project import Project
from ingest_assets.records import Caption, Chunk, Part, SourceFile
from ingest_assets.stages.chunking.chunk import chunk
from ingest_assets.stages.embed import CHUNKS_PER_PART, embed
from ingest_assets.stages.parse import parse
from ingest_assets.stages.publish import carrying
from ingest_assets.wiring import open_embedder

Parts = dg.ResourceParam[Project]


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="ingest_artifacts")
def raw_files(context: dg.AssetExecutionContext, ingest_project: Parts) -> Pending[SourceFile]:
    """The reference to a file in the bucket: owner, name, size, sha256, media type. The bytes stay in the bucket."""
    require_file_id(context.partition_key)
    key = key_of(context.partition_key)
    # Dagster's command line can name a file before the sensor has added its partition.
    add_partitions(context.instance, [context.partition_key], count=ingest_project.settings.shards)
    found = ingest_project.bucket.stat(key)
    if found is not None:  # it may be another version than the one that the run was asked for
        ingest_project.looks.keys({key: found})
    return Pending(
        fingerprint=fingerprint(found, receive_fingerprint(ingest_project.settings)),
        produce=lambda _: iter([ingest_project.receive(key)]),
        tally=metadata_counts.of_source,
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="ingest_artifacts")
@records_failure
def parsed_documents(
    context: dg.AssetExecutionContext, ingest_project: Parts, raw_files: Stored[SourceFile]
) -> Pending[Part]:
    """The text of a file in reading order, part by part (page, slide, block of rows), and each picture once."""
    (source,) = raw_files
    parser, attempt = ingest_project.parser(source), attempt_of(context, ingest_project, source)
    unread = attempt.leaves_out("parsed_documents")
    progress = StageProgress(ingest_project.index, source.file_id, "parsed_documents")

    def produce(draft: Draft[Part]) -> Iterator[Part]:
        limits = replace(ingest_project.limits, unread=unread, before_part=draft.mark)
        with unchanged_file(ingest_project.bucket, source) as path:
            draft.facts["pages"] = count_pages(parser, path, limits=limits)
            parts = parse(path, parser=parser, limits=limits, keep=draft.attach, finished=draft.kept())
            yield from progress.through(parts, of=draft.facts["pages"])

    return Pending(
        fingerprint=ingest_project.fingerprints(source).of_parsed(sha256=source.sha256, media_type=source.media_type),
        produce=produce,
        tally=metadata_counts.of_part,
        resume_token=source.version,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        leaves_out=bool(unread),
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="ingest_artifacts")
@records_failure
def image_captions(
    context: dg.AssetExecutionContext, ingest_project: Parts, parsed_documents: Stored[Part]
) -> Pending[Caption]:
    """What each distinct picture of a file shows: a caption, the text in it, its page, and the model that made them."""
    source = ingest_project.received(context.partition_key)
    attempt, fingerprints = attempt_of(context, ingest_project, source), ingest_project.fingerprints(source)
    upstream, model = parsed_documents.manifest.digest, fingerprints.caption
    progress = StageProgress(ingest_project.index, source.file_id, "image_captions")
    return Pending(
        fingerprint=fingerprints.of_captions(parsed=upstream),
        produce=lambda draft: progress.through(
            caption_pictures(
                draft, parsed_documents, project=ingest_project, file_id=source.file_id, attempt=attempt, model=model
            ),
            of=parsed_documents.manifest.counts.get("pictures", 0),
        ),
        tally=metadata_counts.of_caption,
        resume_token=upstream,
        window=attempt.window,
        cap_mb=attempt.cap_mb,
        leaves_out=bool(attempt.leaves_out("image_captions")),
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="ingest_artifacts")
@records_failure
def chunks(
    context: dg.AssetExecutionContext,
    ingest_project: Parts,
    parsed_documents: Stored[Part],
    image_captions: Stored[Caption],
) -> Pending[Chunk]:
    """The text to embed, 150 to 500 words a chunk, captions where their pictures stood; with pages and section."""
    source = ingest_project.received(context.partition_key)
    captions, sizes = {row.picture: row for row in image_captions}, chunk_sizes_of(ingest_project.settings)
    upstream = {"parsed": parsed_documents.manifest.digest, "captions": image_captions.manifest.digest}
    return Pending(
        fingerprint=ingest_project.fingerprints(source).of_chunks(file_id=source.file_id, **upstream),
        produce=lambda _: chunk(parsed_documents, file_id=source.file_id, captions=captions, sizes=sizes),
        tally=metadata_counts.of_chunk,
        window=attempt_of(context, ingest_project, source).window,
    )


@dg.asset(partitions_def=files, group_name="ingest", io_manager_key="ingest_vector_store")
@records_failure
def embeddings(context: dg.AssetExecutionContext, ingest_project: Parts, chunks: Stored[Chunk]) -> FilePublication:
    """The file in the vector store: one unit vector per chunk, and the file's record; searchable from here on."""
    source = ingest_project.received(context.partition_key)
    attempt = attempt_of(context, ingest_project, source)
    embedder = open_embedder(ingest_project.model_settings, window=attempt.window)
    progress = StageProgress(ingest_project.index, source.file_id, "embeddings")
    known, window = partial(ingest_project.store.vectors_for, embedder.model), CHUNKS_PER_PART * attempt.window
    record = record_of(chunks, project=ingest_project, source=source, window=attempt.window)
    return FilePublication(
        project=ingest_project,
        record=record,
        embedded=lambda: progress.through(
            embed(carrying(chunks, record), embedder=embedder, known=known, window=window), of=chunks.manifest.records
        ),
        attempt=attempt,
    )
