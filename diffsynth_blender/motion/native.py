"""What the frame knows around a position, in C++: the four pixel centres next to it.

Text that the native functions of `follow_kernels` and `finish_kernels` begin with. Warp hands structs of arrays from
function to function by value; one native loop over a row takes a fifth of the time. One source for processors and CUDA.
"""

CORNERS = """
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
#if !defined(__CUDA_ARCH__)
    // The corners of a position inside, as lanes.
    typedef float Two __attribute__((vector_size(8), aligned(4)));
    typedef float Four __attribute__((vector_size(16), aligned(4)));
    typedef int IntTwo __attribute__((vector_size(8), aligned(4)));
    typedef int IntFour __attribute__((vector_size(16), aligned(4)));
    auto lanes_of = [](const float* const upper, const int pitch) __attribute__((always_inline)) {
        return __builtin_shufflevector(*(const Two*)upper, *(const Two*)(upper + pitch), 0, 1, 2, 3);
    };
    auto ids_of = [](const int* const upper, const int pitch) __attribute__((always_inline)) {
        return __builtin_shufflevector(*(const IntTwo*)upper, *(const IntTwo*)(upper + pitch), 0, 1, 2, 3);
    };
    // Which lanes show the surface of this id near this depth.
    auto same_lanes = [](const IntFour ids, const Four depths, const Four tolerances, const int id, const float depth)
        __attribute__((always_inline)) {
        return (ids == id) & (__builtin_elementwise_abs(depths - depth) <= tolerances);
    };
#endif
"""
