"""All kinds of recordings: each file registers its own with `cases`."""
import harmless, harmless_later, more_healthy, more_later, more_names, more_tls, more_ways, more_web
