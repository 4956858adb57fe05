"""extract: features of a coarse grid of cells per image of one domain."""

from bismap.data import shards
from bismap.data.dataset import open_dataset
from bismap.extractor.cell_store import STORE, CellWriter
from bismap.extractor.cells import extract_cells
from bismap.extractor.images import domain_images, read_ahead
from bismap.extractor.network import load_extractor
from bismap.job import Job


def run(job: Job) -> None:
    """Write cells.zarr of this shard's images."""
    settings = job.settings
    domain, grid = settings["domain"], tuple(settings["grid"])
    dataset = open_dataset(job.input(f"{domain}_index"), job.root(domain))
    images = shards.split(domain_images(dataset, settings["split"], job.input_list("stylized")), job.shard)
    extractor = load_extractor(job.input("extractor"), job.device)
    writer = CellWriter(job.out / STORE, [image_id for image_id, _ in images], grid, extractor.dim)
    pixels = read_ahead([file for _, file in images], tuple(settings["input_size"]), job.threads)
    for cells in extract_cells(extractor, pixels, grid, settings["batch"]):
        writer.add(cells)
    writer.close()
