/// The typed names of all arguments that hold numbers; what they mean is in the table.

// MARK: Whole numbers

extension ArgumentKey where Value == Int {
    public static var imageMaxPixels: Self { Self("image_max_pixels") }
    public static var imageMinPixels: Self { Self("image_min_pixels") }
    public static var videoMaxPixels: Self { Self("video_max_pixels") }
    public static var videoMinPixels: Self { Self("video_min_pixels") }
    public static var videoMaxlen: Self { Self("video_maxlen") }
    public static var audioSamplingRate: Self { Self("audio_sampling_rate") }
    public static var exportSize: Self { Self("export_size") }
    public static var exportQuantizationNsamples: Self { Self("export_quantization_nsamples") }
    public static var exportQuantizationMaxlen: Self { Self("export_quantization_maxlen") }
    public static var cutoffLen: Self { Self("cutoff_len") }
    public static var bufferSize: Self { Self("buffer_size") }
    public static var preprocessingBatchSize: Self { Self("preprocessing_batch_size") }
    public static var freezeTrainableLayers: Self { Self("freeze_trainable_layers") }
    public static var loraRank: Self { Self("lora_rank") }
    public static var pissaIter: Self { Self("pissa_iter") }
    public static var oftRank: Self { Self("oft_rank") }
    public static var oftBlockSize: Self { Self("oft_block_size") }
    public static var ppoBufferSize: Self { Self("ppo_buffer_size") }
    public static var ppoEpochs: Self { Self("ppo_epochs") }
    public static var galoreRank: Self { Self("galore_rank") }
    public static var galoreUpdateInterval: Self { Self("galore_update_interval") }
    public static var apolloRank: Self { Self("apollo_rank") }
    public static var apolloUpdateInterval: Self { Self("apollo_update_interval") }
    public static var badamVerbose: Self { Self("badam_verbose") }
    public static var hyperParallelCpSize: Self { Self("hyper_parallel_cp_size") }
    public static var topK: Self { Self("top_k") }
    public static var numBeams: Self { Self("num_beams") }
    public static var maxLength: Self { Self("max_length") }
    public static var maxNewTokens: Self { Self("max_new_tokens") }
    public static var batchSize: Self { Self("batch_size") }
    public static var seed: Self { Self("seed") }
    public static var nShot: Self { Self("n_shot") }
    public static var perDeviceTrainBatchSize: Self { Self("per_device_train_batch_size") }
    public static var maxSteps: Self { Self("max_steps") }
    public static var gradientAccumulationSteps: Self { Self("gradient_accumulation_steps") }
    public static var perDeviceEvalBatchSize: Self { Self("per_device_eval_batch_size") }
    public static var dataloaderNumWorkers: Self { Self("dataloader_num_workers") }
    public static var ddpTimeout: Self { Self("ddp_timeout") }
    public static var localRank: Self { Self("local_rank") }
    public static var threads: Self { Self("threads") }
}

// MARK: Whole numbers that may be missing

extension ArgumentKey where Value == Int? {
    public static var quantizationBit: Self { Self("quantization_bit") }
    public static var exportQuantizationBit: Self { Self("export_quantization_bit") }
    public static var preprocessingNumWorkers: Self { Self("preprocessing_num_workers") }
    public static var maxSamples: Self { Self("max_samples") }
    public static var evalNumBeams: Self { Self("eval_num_beams") }
    public static var loraAlpha: Self { Self("lora_alpha") }
    public static var refModelQuantizationBit: Self { Self("ref_model_quantization_bit") }
    public static var rewardModelQuantizationBit: Self { Self("reward_model_quantization_bit") }
    public static var badamStartBlock: Self { Self("badam_start_block") }
    public static var badamSwitchInterval: Self { Self("badam_switch_interval") }
    public static var earlyStoppingSteps: Self { Self("early_stopping_steps") }
    public static var torchEmptyCacheSteps: Self { Self("torch_empty_cache_steps") }
    public static var evalAccumulationSteps: Self { Self("eval_accumulation_steps") }
    public static var saveTotalLimit: Self { Self("save_total_limit") }
    public static var dataSeed: Self { Self("data_seed") }
    public static var dataloaderPrefetchFactor: Self { Self("dataloader_prefetch_factor") }
    public static var ddpBucketCapMb: Self { Self("ddp_bucket_cap_mb") }
    public static var generationMaxLength: Self { Self("generation_max_length") }
    public static var generationNumBeams: Self { Self("generation_num_beams") }
}

// MARK: Numbers

extension ArgumentKey where Value == Double {
    public static var videoFps: Self { Self("video_fps") }
    public static var valSize: Self { Self("val_size") }
    public static var loraDropout: Self { Self("lora_dropout") }
    public static var loraplusLrEmbedding: Self { Self("loraplus_lr_embedding") }
    public static var moduleDropout: Self { Self("module_dropout") }
    public static var prefBeta: Self { Self("pref_beta") }
    public static var prefFtx: Self { Self("pref_ftx") }
    public static var prefBcoWeight: Self { Self("pref_bco_weight") }
    public static var dpoLabelSmoothing: Self { Self("dpo_label_smoothing") }
    public static var ktoChosenWeight: Self { Self("kto_chosen_weight") }
    public static var ktoRejectedWeight: Self { Self("kto_rejected_weight") }
    public static var simpoGamma: Self { Self("simpo_gamma") }
    public static var ppoTarget: Self { Self("ppo_target") }
    public static var galoreScale: Self { Self("galore_scale") }
    public static var apolloScale: Self { Self("apollo_scale") }
    public static var badamUpdateRatio: Self { Self("badam_update_ratio") }
    public static var asftAlpha: Self { Self("asft_alpha") }
    public static var eaftAlpha: Self { Self("eaft_alpha") }
    public static var temperature: Self { Self("temperature") }
    public static var topP: Self { Self("top_p") }
    public static var repetitionPenalty: Self { Self("repetition_penalty") }
    public static var lengthPenalty: Self { Self("length_penalty") }
    public static var numTrainEpochs: Self { Self("num_train_epochs") }
    public static var learningRate: Self { Self("learning_rate") }
    public static var warmupSteps: Self { Self("warmup_steps") }
    public static var weightDecay: Self { Self("weight_decay") }
    public static var adamBeta1: Self { Self("adam_beta1") }
    public static var adamBeta2: Self { Self("adam_beta2") }
    public static var adamEpsilon: Self { Self("adam_epsilon") }
    public static var maxGradNorm: Self { Self("max_grad_norm") }
    public static var labelSmoothingFactor: Self { Self("label_smoothing_factor") }
    public static var loggingSteps: Self { Self("logging_steps") }
    public static var evalDelay: Self { Self("eval_delay") }
    public static var saveSteps: Self { Self("save_steps") }
}

// MARK: Numbers that may be missing

extension ArgumentKey where Value == Double? {
    public static var moeAuxLossCoef: Self { Self("moe_aux_loss_coef") }
    public static var loraplusLrRatio: Self { Self("loraplus_lr_ratio") }
    public static var ldAlpha: Self { Self("ld_alpha") }
    public static var neftuneNoiseAlpha: Self { Self("neftune_noise_alpha") }
    public static var evalSteps: Self { Self("eval_steps") }
    public static var warmupRatio: Self { Self("warmup_ratio") }
}

// MARK: Lists of numbers

extension ArgumentKey where Value == [Double] {
    public static var interleaveProbs: Self { Self("interleave_probs") }
}
