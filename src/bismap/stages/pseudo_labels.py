"""pseudo_labels: keep the labels of target pixels above the threshold."""

from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from bismap.data import shards
from bismap.data.images import write_label
from bismap.job import Job
from bismap.pseudo_labels.files import density_images, read_grid, read_histogram, read_scores
from bismap.pseudo_labels.tables import image_row, write_images, write_threshold
from bismap.pseudo_labels.threshold import choose_code, keep


def run(job: Job) -> None:
    """Write one label image per image of this shard, images.csv and threshold.csv."""
    manifests = job.input_list("densities")
    grid, names = read_grid(manifests)
    histogram = read_histogram(manifests, len(names))
    code = choose_code(job.settings["threshold"], grid, histogram)
    images = shards.split(density_images(manifests), job.shard)
    with Image.open(images[0][1]) as first:
        palette = first.getpalette()

    def label(image: tuple) -> list:
        image_id, class_map, density = image
        assigned, codes = read_scores(class_map, density)
        labels = keep(assigned, codes, code)
        write_label(job.out / f"{image_id}.png", labels, palette)
        return image_row(image_id, labels, codes, grid, len(names))

    with ThreadPoolExecutor(job.threads) as pool:
        rows = list(pool.map(label, images))
    write_images(job.out / "images.csv", rows, len(names))
    write_threshold(job.out / "threshold.csv", histogram, code, grid, names)
