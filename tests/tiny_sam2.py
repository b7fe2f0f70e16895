"""A SAM 2 of random weights, small enough for tests."""

from __future__ import annotations

from typing import Any

SIDE = 128


def tiny_sam2() -> Any:
    """A transformers.Sam2VideoModel for pictures of 128 x 128."""
    import torch
    from transformers import Sam2VideoConfig, Sam2VideoModel

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 1, 1],
        "global_attention_blocks": [3],
        "window_size_per_stage": [4, 4, 4, 4],
    }
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
        "fpn_hidden_size": 128,
    }
    torch.manual_seed(0)
    return Sam2VideoModel(
        Sam2VideoConfig(
            vision_config=vision,
            image_size=SIDE,
            prompt_encoder_config={"hidden_size": 128, "image_size": SIDE, "patch_size": 16},
            mask_decoder_config={
                "hidden_size": 128,
                "mlp_dim": 32,
                "num_attention_heads": 2,
                "iou_head_hidden_dim": 32,
            },
            memory_attention_hidden_size=128,
            memory_attention_num_layers=1,
            memory_attention_feed_forward_hidden_size=32,
            memory_attention_rope_feat_sizes=[SIDE // 16] * 2,
            memory_encoder_hidden_size=128,
            mask_downsampler_embed_dim=128,
            memory_fuser_num_layers=1,
            memory_fuser_embed_dim=128,
            memory_fuser_intermediate_dim=32,
        )
    )
