/// `lr_scheduler_kwargs`, read with the schedule's name at hand for the error.

import Formats

struct ScheduleKeywords {
    let schedule: String
    let values: JSONObject

    func allow(_ known: [String]) throws(TrainingError) {
        for key in values.keys where !known.contains(key) {
            throw .unknownScheduleKeyword(schedule: schedule, keyword: key, known: known)
        }
    }

    func number(_ key: String) throws(TrainingError) -> Double? {
        guard let value = values[key], value != .null else { return nil }
        if let number = value.doubleValue { return number }
        if let text = value.stringValue, let number = Double(text) { return number }
        throw .badScheduleKeyword(schedule: schedule, keyword: key, expected: "a number", found: value.text(style: .compact))
    }

    func integer(_ key: String) throws(TrainingError) -> Int? {
        guard let number = try number(key) else { return nil }
        guard let whole = Int(exactly: number), whole >= 0 else {
            throw .badScheduleKeyword(schedule: schedule, keyword: key, expected: "a whole number of at least 0", found: "\(number)")
        }
        return whole
    }

    func flag(_ key: String) throws(TrainingError) -> Bool? {
        guard let value = values[key], value != .null else { return nil }
        if let flag = value.boolValue { return flag }
        throw .badScheduleKeyword(schedule: schedule, keyword: key, expected: "true or false", found: value.text(style: .compact))
    }

    func curve(_ key: String) throws(TrainingError) -> ScheduleShape.Curve? {
        let names = ScheduleShape.Curve.allCases.map(\.rawValue)
        return try choice(key, names).flatMap { ScheduleShape.Curve(rawValue: $0) }
    }

    func choice(_ key: String, _ choices: [String]) throws(TrainingError) -> String? {
        guard let value = values[key], value != .null else { return nil }
        guard let name = value.stringValue, choices.contains(name) else {
            throw .badScheduleKeyword(
                schedule: schedule, keyword: key, expected: "one of \(choices.joined(separator: ", "))", found: value.text(style: .compact))
        }
        return name
    }

    /// `min_lr` as a part of the base rate, or `min_lr_rate`; exactly one of them.
    func floor(_ baseRate: Double) throws(TrainingError) -> Double {
        let absolute = try number("min_lr")
        let relative = try number("min_lr_rate")
        switch (absolute, relative) {
        case (nil, nil): throw .missingScheduleKeyword(schedule: schedule, keyword: "min_lr_rate")
        case (let rate?, nil): return rate / baseRate
        case (nil, let part?): return part
        case (_?, _?):
            throw .badScheduleKeyword(
                schedule: schedule, keyword: "min_lr", expected: "left out when min_lr_rate is given", found: "both")
        }
    }

    /// The options of a schedule that follows evaluations.
    func metricSettings(_ kind: MetricSchedule.Kind) throws(TrainingError) -> MetricSchedule.Settings {
        var settings = kind == .plateau ? MetricSchedule.Settings.plateau : .greedy
        let common = ["mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps"]
        try allow(kind == .plateau ? common : common + ["warmup", "max_lr", "smooth", "window_size", "reset_start", "verbose"])
        settings.seeksMaximum = try choice("mode", ["min", "max"]) == "max"
        if let mode = try choice("threshold_mode", ["rel", "abs"]) { settings.isRelative = mode == "rel" }
        settings.factor = try number("factor") ?? settings.factor
        guard settings.factor > 0, settings.factor < 1 else {
            throw .badScheduleKeyword(schedule: schedule, keyword: "factor", expected: "above 0 and below 1", found: "\(settings.factor)")
        }
        settings.patience = try integer("patience") ?? settings.patience
        settings.threshold = try number("threshold") ?? settings.threshold
        settings.cooldown = try integer("cooldown") ?? settings.cooldown
        settings.minimumRate = try number("min_lr") ?? settings.minimumRate
        settings.epsilon = try number("eps") ?? settings.epsilon
        guard kind == .greedy else { return settings }
        _ = try flag("verbose")
        settings.warmup = try integer("warmup") ?? settings.warmup
        settings.maximumRate = try number("max_lr") ?? settings.maximumRate
        settings.resetStart = try integer("reset_start") ?? settings.resetStart
        let window = try integer("window_size") ?? 50
        guard window > 0 else {
            throw .badScheduleKeyword(schedule: schedule, keyword: "window_size", expected: "a whole number of at least 1", found: "0")
        }
        if try flag("smooth") ?? false { settings.window = window }
        return settings
    }
}
