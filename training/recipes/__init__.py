"""How each model is fitted: the basic one, and the contenders for the improved one."""
