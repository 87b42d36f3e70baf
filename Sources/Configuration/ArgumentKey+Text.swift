/// The typed names of all arguments that hold text, lists and mappings; what they mean is in the table.

import Formats

// MARK: Text

extension ArgumentKey where Value == String {
    public static var initSpecialTokens: Self { Self("init_special_tokens") }
    public static var modelRevision: Self { Self("model_revision") }
    public static var flashAttn: Self { Self("flash_attn") }
    public static var inferBackend: Self { Self("infer_backend") }
    public static var offloadFolder: Self { Self("offload_folder") }
    public static var inferDtype: Self { Self("infer_dtype") }
    public static var quantizationMethod: Self { Self("quantization_method") }
    public static var quantizationType: Self { Self("quantization_type") }
    public static var exportDevice: Self { Self("export_device") }
    public static var datasetDir: Self { Self("dataset_dir") }
    public static var mixStrategy: Self { Self("mix_strategy") }
    public static var prefLoss: Self { Self("pref_loss") }
    public static var rewardModelType: Self { Self("reward_model_type") }
    public static var galoreProjType: Self { Self("galore_proj_type") }
    public static var apolloProj: Self { Self("apollo_proj") }
    public static var apolloProjType: Self { Self("apollo_proj_type") }
    public static var apolloScaleType: Self { Self("apollo_scale_type") }
    public static var badamMode: Self { Self("badam_mode") }
    public static var badamMaskMode: Self { Self("badam_mask_mode") }
    public static var swanlabMode: Self { Self("swanlab_mode") }
    public static var stage: Self { Self("stage") }
    public static var finetuningType: Self { Self("finetuning_type") }
    public static var task: Self { Self("task") }
    public static var taskDir: Self { Self("task_dir") }
    public static var lang: Self { Self("lang") }
    public static var downloadMode: Self { Self("download_mode") }
    public static var lrSchedulerType: Self { Self("lr_scheduler_type") }
    public static var optim: Self { Self("optim") }
    public static var loggingStrategy: Self { Self("logging_strategy") }
    public static var includeNumInputTokensSeen: Self { Self("include_num_input_tokens_seen") }
    public static var logLevel: Self { Self("log_level") }
    public static var logLevelReplica: Self { Self("log_level_replica") }
    public static var project: Self { Self("project") }
    public static var evalStrategy: Self { Self("eval_strategy") }
    public static var saveStrategy: Self { Self("save_strategy") }
    public static var hubStrategy: Self { Self("hub_strategy") }
    public static var trainSamplingStrategy: Self { Self("train_sampling_strategy") }
    public static var lengthColumnName: Self { Self("length_column_name") }
    public static var debug: Self { Self("debug") }
    public static var device: Self { Self("device") }
}

// MARK: Text that may be missing

extension ArgumentKey where Value == String? {
    public static var modelNameOrPath: Self { Self("model_name_or_path") }
    public static var adapterFolder: Self { Self("adapter_folder") }
    public static var cacheDir: Self { Self("cache_dir") }
    public static var newSpecialTokensConfig: Self { Self("new_special_tokens_config") }
    public static var ropeScaling: Self { Self("rope_scaling") }
    public static var mixtureOfDepths: Self { Self("mixture_of_depths") }
    public static var hfHubToken: Self { Self("hf_hub_token") }
    public static var msHubToken: Self { Self("ms_hub_token") }
    public static var omHubToken: Self { Self("om_hub_token") }
    public static var quantizationDeviceMap: Self { Self("quantization_device_map") }
    public static var exportDir: Self { Self("export_dir") }
    public static var exportGGUF: Self { Self("export_gguf") }
    public static var exportQuantizationDataset: Self { Self("export_quantization_dataset") }
    public static var exportHubModelId: Self { Self("export_hub_model_id") }
    public static var template: Self { Self("template") }
    public static var mediaDir: Self { Self("media_dir") }
    public static var toolFormat: Self { Self("tool_format") }
    public static var defaultSystem: Self { Self("default_system") }
    public static var tokenizedPath: Self { Self("tokenized_path") }
    public static var refModel: Self { Self("ref_model") }
    public static var rewardModel: Self { Self("reward_model") }
    public static var badamSwitchMode: Self { Self("badam_switch_mode") }
    public static var swanlabProject: Self { Self("swanlab_project") }
    public static var swanlabWorkspace: Self { Self("swanlab_workspace") }
    public static var swanlabRunName: Self { Self("swanlab_run_name") }
    public static var swanlabApiKey: Self { Self("swanlab_api_key") }
    public static var swanlabLogdir: Self { Self("swanlab_logdir") }
    public static var swanlabLarkWebhookUrl: Self { Self("swanlab_lark_webhook_url") }
    public static var swanlabLarkSecret: Self { Self("swanlab_lark_secret") }
    public static var hyperParallelArgs: Self { Self("hyper_parallel_args") }
    public static var saveDir: Self { Self("save_dir") }
    public static var outputDir: Self { Self("output_dir") }
    public static var optimArgs: Self { Self("optim_args") }
    public static var torchCompileBackend: Self { Self("torch_compile_backend") }
    public static var torchCompileMode: Self { Self("torch_compile_mode") }
    public static var runName: Self { Self("run_name") }
    public static var trackioSpaceId: Self { Self("trackio_space_id") }
    public static var trackioBucketId: Self { Self("trackio_bucket_id") }
    public static var trackioStaticSpaceId: Self { Self("trackio_static_space_id") }
    public static var hubToken: Self { Self("hub_token") }
    public static var hubModelId: Self { Self("hub_model_id") }
    public static var hubRevision: Self { Self("hub_revision") }
    public static var metricForBestModel: Self { Self("metric_for_best_model") }
    public static var acceleratorConfig: Self { Self("accelerator_config") }
    public static var parallelismConfig: Self { Self("parallelism_config") }
    public static var ddpBackend: Self { Self("ddp_backend") }
    public static var fsdp: Self { Self("fsdp") }
    public static var fsdpConfig: Self { Self("fsdp_config") }
    public static var deepspeed: Self { Self("deepspeed") }
    public static var resumeFromCheckpoint: Self { Self("resume_from_checkpoint") }
    public static var loggingDir: Self { Self("logging_dir") }
    public static var generationConfig: Self { Self("generation_config") }
}

// MARK: Lists of names

extension ArgumentKey where Value == [String] {
    public static var adapterNameOrPath: Self { Self("adapter_name_or_path") }
    public static var addTokens: Self { Self("add_tokens") }
    public static var addSpecialTokens: Self { Self("add_special_tokens") }
    public static var dataset: Self { Self("dataset") }
    public static var evalDataset: Self { Self("eval_dataset") }
    public static var freezeTrainableModules: Self { Self("freeze_trainable_modules") }
    public static var freezeExtraModules: Self { Self("freeze_extra_modules") }
    public static var additionalTarget: Self { Self("additional_target") }
    public static var loraTarget: Self { Self("lora_target") }
    public static var oftTarget: Self { Self("oft_target") }
    public static var refModelAdapters: Self { Self("ref_model_adapters") }
    public static var rewardModelAdapters: Self { Self("reward_model_adapters") }
    public static var galoreTarget: Self { Self("galore_target") }
    public static var apolloTarget: Self { Self("apollo_target") }
    public static var optimTargetModules: Self { Self("optim_target_modules") }
    public static var reportTo: Self { Self("report_to") }
    public static var includeForMetrics: Self { Self("include_for_metrics") }
    public static var labelNames: Self { Self("label_names") }
}

// MARK: Mappings

extension ArgumentKey where Value == JSONObject {
    public static var lrSchedulerKwargs: Self { Self("lr_scheduler_kwargs") }
    public static var gradientCheckpointingKwargs: Self { Self("gradient_checkpointing_kwargs") }
    public static var ligerKernelConfig: Self { Self("liger_kernel_config") }
}
