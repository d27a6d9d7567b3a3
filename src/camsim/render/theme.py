"""Colours of all pictures."""

Colour = tuple[int, int, int]

BACKDROP: Colour = (11, 15, 21)
TERRAIN: Colour = (20, 26, 34)
GRID: Colour = (31, 39, 50)
BORDER: Colour = (58, 70, 86)

TEXT: Colour = (226, 232, 240)
FAINT_TEXT: Colour = (136, 150, 168)

OBSTACLE: Colour = (62, 72, 86)
OBSTACLE_EDGE: Colour = (104, 117, 135)

CAMERA: Colour = (255, 209, 102)  # bodies, fields of view, selections
CAMERA_BODY: Colour = (40, 36, 26)
REPLACED: Colour = (122, 222, 238)  # what a camera chose instead within a decision
BELIEF: Colour = (255, 140, 175)  # where cameras expect a target
CAMERA_MESSAGE: Colour = (255, 173, 173)
TARGET_MESSAGE: Colour = (170, 200, 215)

TRACKED: Colour = (255, 255, 255)
UNLOADED: Colour = (176, 188, 203)
COLLISION: Colour = (255, 77, 77)

WAREHOUSES: tuple[Colour, Colour, Colour, Colour] = (
    (86, 180, 233),
    (240, 120, 60),
    (60, 200, 145),
    (214, 120, 210),
)
"""Of each warehouse and of all cargo that goes there; told apart with common colour blindness."""

FIELD_ALPHA, FIELD_EDGE_ALPHA = 38, 120  # of what a camera sees, of 255
HIDDEN_ALPHA = 12  # of the part of its sector that obstacles hide
