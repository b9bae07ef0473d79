"""Image files as arrays of gray levels."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from sklearn_flipad.datasets.files.decoding import check_image_options, read_image
from sklearn_flipad.datasets.files.facts import count_facts, facts_of
from sklearn_flipad.datasets.files.listing import list_files
from sklearn_flipad.datasets.files.loading import check_count, check_on_error, read_each

__all__ = ["load_celeba", "load_images", "load_lsun_bedroom"]


def load_images(
    paths,
    *,
    size=None,
    mode="RGB",
    n_images=None,
    max_pixels=2**26,
    same_size=True,
    on_error="raise",
):
    """Load PNG, JPEG and WebP files as 8-bit images, channels first.

    Files are recognized by their content, whatever they are called. EXIF orientation is
    applied, and no other metadata is read. Samples v of 16 bits become round(v / 257),
    transparency included; palettes and CMYK are converted; transparent pixels are laid on
    white. Animations are refused, since they are many images; of the images in an MPO file,
    the first is taken.

    Every file that is named or found is listed in `filenames` or, with the reason, in
    `errors`: also a link to nothing, a folder that may not be read, and a FIFO, which is never
    opened. A PNG whose checksums do not match is damaged. JPEG and WebP have no checksums, so
    a changed file that can still be decoded is not noticed.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files, or one folder. All files below a folder are taken in the order of their names,
        except hidden ones. Links to other folders are not followed, but are errors.
    size : int, default=None
        The shorter side is resized to this many pixels (bilinear, antialiased) and the
        middle square is cut out, as is done for the training of DCGAN. By default images
        stay as they are, and all must have one size.
    mode : {"RGB", "L"}, default="RGB"
        Color or gray.
    n_images : int, default=None
        Number of files to take; all by default.
    max_pixels : int, default=2**26
        Larger images are refused before they are decoded, and files of more than 8 bytes
        per pixel of this number plus 64 MiB before they are read.
    same_size : bool, default=True
        Whether images must have one size. With False, they are a list of arrays of any size,
        as attributors of windows take them.
    on_error : {"raise", "skip"}, default="raise"
        Whether to raise an error that names each file that could not be read, after all were
        tried, or to return the other images.

    Returns
    -------
    Bunch
        ``images`` : ndarray of uint8, shape (n, channels, height, width), or a list of arrays
        (channels, height, width);
        ``filenames`` : list of str, the file of each image;
        ``errors`` : dict of str to str, the reason for each file that was skipped;
        ``n_hidden`` : int, the number of hidden files and folders that were left out;
        ``file_facts`` : dict of str to dict of str to int, the numbers of files by compression,
        JPEG quality, colors and resizing, for the parameter of
        :class:`~sklearn_flipad.FNRThresholdCalibrator` where they are own samples;
        ``facts`` : list of dict of str to str, those facts of each file, as
        :class:`~sklearn_flipad.calibration.FileStrata` takes them.
        In names, control characters and bytes that are not UTF-8 are escaped.

    Raises
    ------
    ValueError
        If a parameter is out of range, if files could not be read and `on_error` is
        ``"raise"``, if no file could be read, or if sizes differ and must not.
    TypeError
        If `paths` holds something that is not a path.
    FileNotFoundError
        If `paths` is a single path that does not exist.

    References
    ----------
    Radford, Metz and Chintala, "Unsupervised representation learning with deep
    convolutional generative adversarial networks", ICLR 2016, for resizing and cropping.
    """
    check_image_options(size, mode, max_pixels)
    check_on_error(on_error)
    check_count("n_images", n_images, "files")
    hidden = []
    files = list_files(paths, hidden.append)[:n_images]
    # One buffer that grows: a list and its stack would need the memory twice.
    pixels, shapes, filenames, errors = bytearray(), {}, [], {}
    images, decodings = [], []

    def read(path):
        return read_image(path, size=size, mode=mode, max_pixels=max_pixels)

    for name, found, reason in read_each(files, read):
        if reason is not None:
            errors[name] = reason
            continue
        image, steps = found
        decodings.append("; ".join(steps))
        filenames.append(name)
        shapes.setdefault(image.shape, name)
        if not same_size:
            images.append(image)
        elif len(shapes) == 1:
            pixels += image.data
    if errors and on_error == "raise":
        raise ValueError(
            f"{len(files) - len(filenames)} of {len(files)} files could not be read; "
            f"on_error='skip' leaves them out:\n{_lines(errors)}"
        )
    if not filenames:
        some = dict(list(errors.items())[:3])
        reasons = f" {len(files)} could not be read, such as:\n{_lines(some)}" if some else ""
        raise ValueError(f"No readable image among the files of paths.{reasons}")
    about = {
        "filenames": filenames,
        "errors": errors,
        "n_hidden": sum(hidden),
        "file_facts": count_facts(Counter(decodings)),
        "facts": [facts_of(decoding) for decoding in decodings],
    }
    if not same_size:
        return Bunch(images=images, **about)
    if len(shapes) > 1:
        seen = ", ".join(f"{h}x{w} ({name})" for (_, h, w), name in list(shapes.items())[:3])
        raise ValueError(
            f"The images have {len(shapes)} sizes, such as {seen}: pass size=, or same_size=False "
            "for an attributor of windows."
        )
    images = np.frombuffer(pixels, np.uint8).reshape(len(filenames), *next(iter(shapes)))
    return Bunch(images=images, **about)


def load_celeba(root, *, size=64, n_images=None, on_error="raise"):
    """Load aligned CelebA faces from a local copy.

    Parameters
    ----------
    root : path-like
        Folder ``img_align_celeba`` or one that contains it.
    size : int, default=64
        See :func:`load_images`.
    n_images : int, default=None
        Number of images, in the order of the file names; all by default.
    on_error : {"raise", "skip"}, default="raise"
        See :func:`load_images`.

    Returns
    -------
    Bunch
        See :func:`load_images`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there are several, or as :func:`load_images` does.

    References
    ----------
    Liu, Luo, Wang and Tang, "Deep learning face attributes in the wild", ICCV 2015.
    """
    folder = _find_folder(root, "img_align_celeba", "CelebA (img_align_celeba.zip, unpacked)")
    return load_images(folder, size=size, n_images=n_images, on_error=on_error)


def load_lsun_bedroom(root, *, size=64, n_images=None, on_error="raise"):
    """Load LSUN bedrooms from a local copy, exported from its database to image files.

    Parameters
    ----------
    root : path-like
        Folder ``bedroom`` or one that contains it.
    size : int, default=64
        See :func:`load_images`.
    n_images : int, default=None
        Number of images, in the order of the file names; all by default.
    on_error : {"raise", "skip"}, default="raise"
        See :func:`load_images`.

    Returns
    -------
    Bunch
        See :func:`load_images`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there are several, or as :func:`load_images` does.

    References
    ----------
    Yu et al., "LSUN: Construction of a large-scale image dataset using deep learning with
    humans in the loop", arXiv:1506.03365.
    """
    folder = _find_folder(root, "bedroom", "LSUN bedroom (exported to image files)")
    return load_images(folder, size=size, n_images=n_images, on_error=on_error)


def _lines(errors):
    return "\n".join(f"  {name}: {reason}" for name, reason in errors.items())


def _find_folder(root, name, what):
    root = Path(os.fsdecode(root))
    if root.name == name and root.is_dir():
        return root
    found = [path for path in sorted(root.glob(f"**/{name}")) if path.is_dir()]
    outermost = [path for path in found if not set(found) & set(path.parents)]
    if not outermost:
        raise FileNotFoundError(
            f"No folder {name!r} in {root}: pass the folder that holds your copy of {what}."
        )
    if len(outermost) > 1:
        seen = ", ".join(map(str, outermost))
        raise ValueError(f"{root} holds {len(outermost)} copies, {seen}: pass one of them.")
    return outermost[0]
