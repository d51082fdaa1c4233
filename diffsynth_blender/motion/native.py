"""What the frame knows around a position, in C++: the four pixel centres next to it.

Text that the native function of `walk_kernels` begins with. Warp hands structs of arrays from
function to function by value; one native loop over a row takes a fifth of the time. One source for processors and CUDA.
"""

from .kernels import BACKGROUND, FRONT_WEIGHT, MIN_SUPPORT

CORNERS = (
    f"""
    const int background = {BACKGROUND};
    const float min_support = {MIN_SUPPORT}f, front_weight = {FRONT_WEIGHT}f;
"""
    + """
    struct Corners {
        int left, top, width, height;
        float fx, fy;
        bool inside;
        CUDA_CALLABLE Corners(const float x, const float y, const int width, const int height)
            : left((int)floorf(x)), top((int)floorf(y)), width(width), height(height) {
            fx = x - (float)left, fy = y - (float)top;
            inside = (left >= 0) & (top >= 0) & (left + 1 < width) & (top + 1 < height);
        }
        // Whether a corner is a pixel.
        CUDA_CALLABLE bool has(const int corner) const {
            const int x = left + (corner & 1), y = top + (corner >> 1);
            return (x >= 0) & (y >= 0) & (x < width) & (y < height);
        }
        // Where a corner is in memory; for one that is no pixel the nearest that is.
        CUDA_CALLABLE int at(const int corner) const {
            int x = left + (corner & 1), y = top + (corner >> 1);
            x = x < 0 ? 0 : x > width - 1 ? width - 1 : x;
            y = y < 0 ? 0 : y > height - 1 ? height - 1 : y;
            return y * width + x;
        }
        // Bilinear weight.
        CUDA_CALLABLE float share(const int corner) const {
            return (corner & 1 ? fx : 1.0f - fx) * (corner >> 1 ? fy : 1.0f - fy);
        }
    };
    // Whether a position lies on a pixel's area; keeps conversions to integers defined. False for NaN.
    auto in_picture = [](const float x, const float y, const int width, const int height) {
        return (x >= -0.5f) & (y >= -0.5f) & (x <= (float)width - 0.5f) & (y <= (float)height - 0.5f);
    };
    // `kernels.is_seen`.
    auto is_seen = [&](const auto& source, const float x, const float y, const int id, const float depth) {
        const int width = source.id.shape[1], height = source.id.shape[0];
        const Corners corners(x, y, width, height);
        auto shows = [&](const int there) {
            return (source.id.data[there] == id) & ((id == background)
                | (fabsf(source.depth.data[there] - depth) <= source.tolerance.data[there]));
        };
        float for_it = 0.0f, against = 0.0f;
        for (int corner = 0; corner < 4; ++corner)
            if (corners.has(corner)) {
                if (shows(corners.at(corner)))
                    for_it += corners.share(corner);
                else if (id == background || source.depth.data[corners.at(corner)] < depth)
                    against += corners.share(corner);
            }
        return for_it >= min_support && for_it >= front_weight * against;
    };
"""
)
