"""A run of pixels of the list of those to be matched, in C++: what one thread of a processor works on at a time."""

RUN = 64
"""Pixels that one thread of a processor searches at a time; on CUDA each has its own thread."""

RUN_SIZE = f"""
#if defined(__CUDA_ARCH__)
    const int run = 1;
#else
    const int run = {RUN};
#endif
"""

SCRAMBLE = """
    // The PCG hash: 32 bits that look random (Jarzynski and Olano, "Hash functions for GPU rendering", 2020).
    auto scramble = [](const wp::uint32 value) {
        const wp::uint32 state = value * 747796405u + 2891336453u;
        const wp::uint32 word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737u;
        return (word >> 22) ^ word;
    };
    // Random numbers belong to a pixel of a picture, wherever in a batch the picture is.
    auto pixel_key = [&](const wp::uint32 key, const int x, const int y) {
        return scramble(key + scramble((wp::uint32)x + 65536u * (wp::uint32)y));
    };
"""

PLACES = """
    const int width = pair.width, height = pair.height;
    const int found = first + run < pair.pixel_count ? run : pair.pixel_count - first;
    // Behind the end of the list the first pixel of all, to be left alone.
    int xs[run] = {}, ys[run] = {}, rows[run] = {}, batches[run] = {};
    if (pair.pixels.shape[0] != 0) {
        for (int i = 0; i < found; ++i) {
            const int pixel = pair.pixels.data[first + i];
            rows[i] = pixel / width, xs[i] = pixel % width;
            batches[i] = rows[i] / height, ys[i] = rows[i] % height;
        }
    } else if (found > 0) {
        int row = first / width, x = first % width, batch = row / height, y = row % height;
        for (int i = 0; i < found; ++i) {
            rows[i] = row, xs[i] = x, ys[i] = y, batches[i] = batch;
            if (++x == width) {
                x = 0, ++row;
                if (++y == height)
                    y = 0, ++batch;
            }
        }
    }
"""
"""Expects `pair` and `first`; `found` of the run's pixels are in the list."""
