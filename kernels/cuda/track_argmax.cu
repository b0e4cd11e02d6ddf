// Each track's best so far. A thread takes a face and looks at all others: the best of its track
// alone touches the table, so there is no race and no atomic operation. That is n * n comparisons,
// for the few faces of a frame or of some frames.

#include "common.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    track_argmax(const float* scores, const int* slots, const long long* frames,
                 float* best_scores, long long* best_frames, uint8_t* won, int n, int table) {
    const int me = static_cast<int>(blockIdx.x) * THREADS + static_cast<int>(threadIdx.x);
    if (me >= n) return;
    const float score = scores[me];
    const int slot = slots[me];
    bool best = slot >= 0 && slot < table;
    for (int i = 0; best && i < n; i++) {
        if (slots[i] == slot) best = !(scores[i] > score || (i < me && scores[i] == score));
    }
    best = best && score > best_scores[slot];  // false for NaN
    if (best) {
        best_scores[slot] = score;
        best_frames[slot] = frames[me];
    }
    won[me] = best ? 1 : 0;
}
