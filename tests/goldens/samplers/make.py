#!/usr/bin/env python3
"""Makes samplers.json: where diffusers' schedulers go with a network that is a formula. Run by hand with diffusers 0.42.

The network, elementwise, on the variance preserving x and the time step that the scheduler names:
    eps(x, t) = 0.8 tanh(1.3 x + 0.3 sin(t / 150)) + 0.1 x cos(t / 400)
The k-th noise that a scheduler asks for, element i (both from 0): sqrt(2) sin(1.7 k + 0.9 i + 0.3 k i).

A case: sampler, schedule, spacing, steps, strength, eta; timesteps: as the scheduler has them after the cut;
start: the first sample of the scheduler (its own form); result: its last. Of strength 1 is text-to-image (noise times
init_noise_sigma), of less image-to-image (latent with noise at the first time step left).
"""
import json, os
import numpy as np, torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler, UniPCMultistepScheduler)
from diffusers.schedulers import scheduling_euler_ancestral_discrete as ancestral

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 16
LATENT = [round(float(v), 4) for v in 1.2 * np.sin(2.3 * np.arange(COUNT) + 0.4)]
NOISE = [round(float(v), 4) for v in 1.5 * np.cos(1.1 * np.arange(COUNT) ** 1.5)]


def network(x, t):
    t = float(t)
    return 0.8 * torch.tanh(1.3 * x + 0.3 * np.sin(t / 150)) + 0.1 * x * np.cos(t / 400)


class Draws:
    def __init__(self):
        self.k = 0

    def __call__(self, *_, **__):
        i = np.arange(COUNT)
        values = np.sqrt(2) * np.sin(1.7 * self.k + 0.9 * i + 0.3 * self.k * i)
        self.k += 1
        return torch.tensor(values, dtype=torch.float32).reshape(1, 4, 2, 2)


def run(cls, steps, strength, spacing, step_kwargs=lambda draws: {}, **options):
    config = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True,
                           steps_offset=1, set_alpha_to_one=False, timestep_spacing=spacing).config
    config = dict(config, _use_default_values=[])
    scheduler = cls.from_config(config, **options)
    scheduler.set_timesteps(steps)
    draws = Draws()
    ancestral.randn_tensor = draws
    kept = min(int(steps * strength), steps)
    start = max(steps - kept, 0) * scheduler.order
    timesteps = scheduler.timesteps[start:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    shape = lambda values: torch.tensor(values, dtype=torch.float32).reshape(1, 4, 2, 2)
    if strength < 1:
        sample = scheduler.add_noise(shape(LATENT), shape(NOISE), timesteps[:1])
    else:
        sample = shape(NOISE) * scheduler.init_noise_sigma
    first = sample
    for t in timesteps:
        output = network(scheduler.scale_model_input(sample, t), t)
        sample = scheduler.step(output, t, sample, **step_kwargs(draws)).prev_sample
    flat = lambda tensor: [float(v) for v in tensor.flatten()]
    return {"timesteps": [float(t) for t in timesteps], "start": flat(first), "result": flat(sample)}


SOLVERS = {"dpmpp-2m": DPMSolverMultistepScheduler, "unipc": UniPCMultistepScheduler}
FAMILY = {"euler": EulerDiscreteScheduler, "heun": HeunDiscreteScheduler}


def main():
    cases = []

    def case(sampler, cls, steps, strength, schedule="model", spacing="leading", eta=0.0, **more):
        result = run(cls, steps, strength, spacing, **more)
        cases.append({"sampler": sampler, "schedule": schedule, "spacing": spacing, "steps": steps,
                      "strength": strength, "eta": eta, **result})

    for steps in (10, 25):
        for strength in (1.0, 0.6):
            case("plms", PNDMScheduler, steps, strength)
            case("ddim", DDIMScheduler, steps, strength, clip_sample=False)
            case("ddim", DDIMScheduler, steps, strength, eta=0.5, clip_sample=False,
                 step_kwargs=lambda d: {"eta": 0.5, "variance_noise": d()})
            case("euler-a", EulerAncestralDiscreteScheduler, steps, strength, eta=1.0)
            case("dpmpp-2m-sde", DPMSolverMultistepScheduler, steps, strength, eta=1.0,
                 algorithm_type="sde-dpmsolver++", step_kwargs=lambda d: {"variance_noise": d()})
            for name, cls in (SOLVERS | FAMILY).items():
                case(name, cls, steps, strength)
                case(name, cls, steps, strength, schedule="karras", use_karras_sigmas=True)
                case(name, cls, steps, strength, schedule="exponential", use_exponential_sigmas=True)
        for spacing in ("linspace", "trailing"):
            for name, cls in (SOLVERS | FAMILY).items():
                case(name, cls, steps, 1.0, spacing=spacing)
    # Where the cut falls on the point that PLMS has twice, next to it, and almost at the end.
    for strength in (0.9, 0.8, 0.1):
        case("plms", PNDMScheduler, 10, strength)
    for steps in (1, 2):
        case("plms", PNDMScheduler, steps, 1.0)
        case("unipc", UniPCMultistepScheduler, steps, 1.0)
        case("dpmpp-2m", DPMSolverMultistepScheduler, steps, 1.0)
    table = PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    sigmas = [float(v) for v in ((1 - table) / table) ** 0.5]
    with open(os.path.join(HERE, "samplers.json"), "w") as f:
        rows = ",\n".join(json.dumps(c) for c in cases)
        f.write(f'{{"latent": {LATENT},\n"noise": {NOISE},\n"sigmas": {sigmas},\n"cases": [\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
