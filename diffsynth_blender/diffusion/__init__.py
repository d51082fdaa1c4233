"""Video diffusion: one denoising loop over all frames of a clip, with deflickering of the predicted x0 inside it.

Knows torch and diffusers' classes; knows nothing of jobs, files, Blender or of how frames are smoothed: the smoother
is a plain function that is handed in.
"""
