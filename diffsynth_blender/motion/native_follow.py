"""How one pixel's trace is carried on by a frame, and where its background goes, in C++; see `walk_kernels`.

For any pixel, one at a time: on CUDA, and on a processor where `native_lanes` gives up, at the rims of the picture.
"""

FOLLOW = """
    const int width = target.id.shape[1], height = target.id.shape[0];
    const wp::vec_t<2, float>* const forth = ahead ? near.forward.data : near.backward.data;
    const wp::vec_t<2, float>* const back = ahead ? far.backward.data : far.forward.data;
    const bool starts = trace_in.shape[0] == 0;
    // Carries the trace of a pixel that shows object `id` on from `near` to `far`; visibility 0, and the place where it
    // was, where it cannot be followed.
    auto follow = [&](const int here, const int id, wp::vec_t<4, float> trace) {
        const bool followed = (id != background) & (trace[3] != 0.0f);
        trace[3] = 0.0f;
        if (!followed)
            return trace;
        // The motion of the surface at a sub-pixel position; a trace that starts is on its own pixel.
        wp::vec_t<2, float> step(0.0f, 0.0f);
        if (starts) {
            step = forth[here];
        } else {
            const Corners corners(trace[0], trace[1], width, height);
            float weight = 0.0f;
            for (int corner = 0; corner < 4; ++corner) {
                const int there = corners.at(corner);
                const bool same = corners.has(corner) & (near.id.data[there] == id)
                    & (fabsf(near.depth.data[there] - trace[2]) <= near.tolerance.data[there]);
                const float share = same ? corners.share(corner) : 0.0f;
                step[0] += share * (same ? forth[there][0] : 0.0f);
                step[1] += share * (same ? forth[there][1] : 0.0f);
                weight += share;
            }
            if (weight < min_support)
                return trace;
            step[0] /= weight, step[1] /= weight;
        }
        const float x_there = trace[0] + step[0], y_there = trace[1] + step[1];
        if (!in_picture(x_there, y_there, width, height))
            return trace;
        // Two surfaces of one object can meet in the four corners. The one whose own motion leads best back is where
        // the point came to; the others are left out by their depth.
        const Corners corners(x_there, y_there, width, height);
        float least = 1.0e30f, depth = 0.0f;
        for (int corner = 0; corner < 4; ++corner) {
            const int there = corners.at(corner);
            const float dx = back[there][0] + step[0], dy = back[there][1] + step[1];
            const bool better = corners.has(corner) & (far.id.data[there] == id) & (dx * dx + dy * dy < least);
            least = better ? dx * dx + dy * dy : least;
            depth = better ? far.depth.data[there] : depth;
        }
        float total_x = 0.0f, total_y = 0.0f, total_depth = 0.0f, total = 0.0f;
        for (int corner = 0; corner < 4; ++corner) {
            const int there = corners.at(corner);
            if (!corners.has(corner) || far.id.data[there] != id
                || !(fabsf(far.depth.data[there] - depth) <= far.tolerance.data[there]))
                continue;
            const float share = corners.share(corner);
            total_x += share * back[there][0];
            total_y += share * back[there][1];
            total_depth += share * far.depth.data[there];
            total += share;
        }
        const float error_x = total_x / total + step[0], error_y = total_y / total + step[1];
        const float error = error_x * error_x + error_y * error_y;
        if (total >= min_support && error <= max_return_error * max_return_error)
            trace = wp::vec_t<4, float>(x_there, y_there, total_depth / total, 1.0f);
        return trace;
    };
    auto background_at = [&](const int column, const int row, const float depth) {
        const double u = (double)column, v = (double)row;
        const auto& matrix = homography.data;
        const double w = matrix[2][0] * u + matrix[2][1] * v + matrix[2][2];
        wp::vec_t<4, float> trace((float)column, (float)row, depth, 0.0f);
        if (w > 1.0e-9) {
            const double each = 1.0 / w;
            trace[0] = (float)((matrix[0][0] * u + matrix[0][1] * v + matrix[0][2]) * each);
            trace[1] = (float)((matrix[1][0] * u + matrix[1][1] * v + matrix[1][2]) * each);
            trace[3] = 1.0f;
        }
        return trace;
    };
"""
"""Expects `CORNERS` and the arguments of `walk_rows`."""
