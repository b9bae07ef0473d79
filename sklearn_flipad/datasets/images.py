"""Image files as arrays of grey levels, by Pillow."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from sklearn.utils import Bunch

__all__ = ["load_celeba", "load_images", "load_lsun_bedroom"]

_FORMATS = ("PNG", "JPEG", "WEBP")
_CHANNELS = {"RGB": 3, "L": 1}
#: What Pillow raises on damaged files, as far as is known.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError)


def load_images(paths, *, size=None, mode="RGB", n_images=None, max_pixels=2**26, on_error="raise"):
    """Load PNG, JPEG and WebP files as 8-bit images, channels first.

    Files are recognised by their content, whatever they are called. EXIF orientation is
    applied, 16-bit grey is scaled to 8 bits, palettes and CMYK are converted, and what is
    transparent is laid on white. Animations are refused, since they are many images.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Files, or one folder, all of whose files are taken, in the order of their names,
        those in folders below it included and hidden ones not.
    size : int, default=None
        The shorter side is resized to this many pixels (bilinear, antialiased) and the
        middle square is cut out, as is done for the training of DCGAN. By default images
        stay as they are, and all must have one size.
    mode : {"RGB", "L"}, default="RGB"
        Colour or grey.
    n_images : int, default=None
        How many of the files to take; all by default.
    max_pixels : int, default=2**26
        Larger images are refused before they are decoded.
    on_error : {"raise", "skip"}, default="raise"
        What happens after all files were tried if some could not be read: an error that
        names each of them, or the others are returned and `errors` names them.

    Returns
    -------
    Bunch
        ``images`` : ndarray of uint8, shape (n, channels, height, width);
        ``filenames`` : list of str, where each image comes from;
        ``errors`` : dict of str to str, the reason for each file that was skipped.

    Raises
    ------
    ValueError
        If a parameter is out of range, if files could not be read and `on_error` is
        ``"raise"``, if no image is left, or if sizes differ and `size` is None.
    FileNotFoundError
        If `paths` is a single path that does not exist.

    References
    ----------
    Radford, Metz and Chintala, "Unsupervised representation learning with deep
    convolutional generative adversarial networks", ICLR 2016, for resizing and cropping.
    """
    if mode not in _CHANNELS:
        raise ValueError(f"mode must be 'RGB' or 'L', got {mode!r}.")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    if size is not None and size < 1:
        raise ValueError(f"size must be a positive number of pixels, got {size}.")
    images, filenames, errors = [], [], {}
    for path in _files(paths)[:n_images]:
        try:
            images.append(_read(path, size, mode, max_pixels))
            filenames.append(str(path))
        except _DAMAGE as error:
            errors[str(path)] = str(error) or type(error).__name__
    if errors and on_error == "raise":
        lines = [f"  {name}: {reason}" for name, reason in errors.items()]
        raise ValueError(
            f"{len(errors)} of {len(errors) + len(images)} files could not be read; "
            "on_error='skip' leaves them out:\n" + "\n".join(lines)
        )
    if not images:
        raise ValueError(f"No readable image in {paths!r}.")
    shapes = {}
    for image, name in zip(images, filenames, strict=True):
        shapes.setdefault(image.shape[1:], name)
    if len(shapes) > 1:
        seen = ", ".join(f"{h}x{w} ({name})" for (h, w), name in list(shapes.items())[:3])
        raise ValueError(f"The images have {len(shapes)} sizes, such as {seen}: pass size=.")
    return Bunch(images=np.stack(images), filenames=filenames, errors=errors)


def load_celeba(root, *, size=64, n_images=None, on_error="raise"):
    """Load aligned CelebA faces from a local copy.

    Parameters
    ----------
    root : path-like
        Folder ``img_align_celeba`` or one that contains it.
    size : int, default=64
        See :func:`load_images`.
    n_images : int, default=None
        How many, in the order of the file names; all by default.
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
        How many, in the order of the file names; all by default.
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

    References
    ----------
    Yu et al., "LSUN: Construction of a large-scale image dataset using deep learning with
    humans in the loop", arXiv:1506.03365.
    """
    folder = _find_folder(root, "bedroom", "LSUN bedroom (exported to image files)")
    return load_images(folder, size=size, n_images=n_images, on_error=on_error)


def _find_folder(root, name, what):
    root = Path(root)
    if root.name == name and root.is_dir():
        return root
    found = sorted(path for path in root.glob(f"**/{name}") if path.is_dir())
    if not found:
        raise FileNotFoundError(
            f"No folder {name!r} in {root}: pass the folder that holds your copy of {what}."
        )
    return found[0]


def _files(paths):
    if isinstance(paths, str | Path):
        root = Path(paths)
        if not root.exists():
            raise FileNotFoundError(f"No such file or folder: {root}.")
        if not root.is_dir():
            return [root]
        files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        visible = (f for f in files if not any(part.startswith(".") for part in f.parts))
        return [root / file for file in sorted(visible)]
    return [Path(path) for path in paths]


def _read(path, size, mode, max_pixels):
    with warnings.catch_warnings():
        # max_pixels decides, not Pillow's own limit.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=_FORMATS)
        except Image.UnidentifiedImageError as error:
            raise ValueError("not a PNG, JPEG or WebP file") from error
    with image:
        width, height = image.size
        if width * height > max_pixels:
            raise ValueError(f"{width}x{height} pixels, more than max_pixels={max_pixels}")
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ValueError(f"an animation of {image.n_frames} frames")
        image.load()
        image = _to_mode(ImageOps.exif_transpose(image), mode)
        if size is not None:
            image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
        array = np.asarray(image)
    return array[None] if mode == "L" else np.moveaxis(array, 2, 0)


def _to_mode(image, mode):
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.float64) / 257
        image = Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert(mode)
