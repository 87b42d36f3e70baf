/// Environment variables.

import CPlatform
import Glibc

public enum Environment {
    public static func value(_ name: String) -> String? {
        guard let text = getenv(name) else { return nil }
        return String(cString: text)
    }

    /// True when the variable is there and says anything but "", "0", "false" or "no".
    public static func isOn(_ name: String) -> Bool {
        guard let text = value(name)?.lowercased() else { return false }
        return !["", "0", "false", "no"].contains(text)
    }

    /// Every variable as NAME=value, in the system's order.
    public static var all: [String] {
        guard let entries = platform_environment() else { return [] }
        var result: [String] = []
        var index = 0
        while let entry = entries[index] {
            result.append(String(cString: entry))
            index += 1
        }
        return result
    }
}
