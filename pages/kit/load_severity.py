"""What the leniency pages show beyond the severity fit, computed once per version, viewer and choice.

As in `pages.kit.load`, every cached read takes the viewer, except fits on the whole company, which no page
shows before they are narrowed to the viewer's reach and released.
"""

from __future__ import annotations
