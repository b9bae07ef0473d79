from sklearn_flipad.pipelines.baselines import make_sminv
from sklearn_flipad.reproduction import LatentEncoder


def make_reproduction(
    generator,
    *,
    encoder=None,
    latent_shape=None,
    sampler=None,
    output_range=None,
    fnr=0.005,
    rule="conformal",
    cv=0.5,
    reference=None,
    device=None,
    random_state=0,
    verbose=0,
):
    return make_sminv(
        generator,
        encoder=LatentEncoder(random_state=random_state) if encoder is None else encoder,
        latent_shape=latent_shape,
        sampler=sampler,
        output_range=output_range,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        device=device,
        random_state=random_state,
        verbose=verbose,
    )
